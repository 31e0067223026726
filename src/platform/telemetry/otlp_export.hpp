// Export requests of OTLP and what collectors answer (opentelemetry-proto, collector/*/v1). Of this folder
// only.
#pragma once

#include "platform/core/timestamp.hpp"
#include "platform/telemetry/field.hpp"
#include "platform/telemetry/metrics.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kit::telemetry::otlp {

// A Resource message.
std::string encode_resource(std::span<const Field> attributes);

// ScopeMetrics.metrics, framed as a RecordBuffer's records are: cumulative since `start`. Instruments without
// a number are left out.
std::string encode_metrics(std::span<const InstrumentReading> readings, Timestamp start, Timestamp now);

// The request of any of the three signals, which differ in what their records are, and not in a field number.
std::string export_request(std::string_view resource, std::string_view scope_name, std::string_view framed);

// How many records the collector says that it refused; 0 also where the answer cannot be read.
std::int64_t rejected_records(std::string_view response);

// The wait that a google.rpc.Status names (RetryInfo).
std::optional<std::chrono::milliseconds> retry_delay(std::string_view status);

}  // namespace kit::telemetry::otlp
