#include "platform/mail/mime.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"

#include <algorithm>

namespace kit::mail {

namespace {

constexpr std::size_t quoted_line_max = 76;   // RFC 2045 section 6.7, rule 5
constexpr std::size_t word_bytes_max = 39;    // with its frame 64 characters: beside "Reply-To: " below 78
constexpr std::size_t plain_header_max = 60;  // longer ones are encoded, and so folded between words
constexpr std::size_t boundary_digits = 24;

// To where a UTF-8 character ends, at most `bytes_max` away.
std::size_t whole_characters(std::string_view text, std::size_t bytes_max)
{
    constexpr unsigned char continuation_mask = 0xc0;
    constexpr unsigned char continuation = 0x80;
    if (text.size() <= bytes_max) {
        return text.size();
    }
    auto end = bytes_max;
    while (end > 1 && (static_cast<unsigned char>(text[end]) & continuation_mask) == continuation) {
        --end;
    }
    return end;
}

bool is_printable_ascii(char byte)
{
    return byte >= ' ' && byte <= '~';
}

std::string without_controls(std::string_view text)
{
    auto clean = to_valid_utf8(text);
    std::ranges::replace_if(
        clean, [](char byte) { return static_cast<unsigned char>(byte) < ' ' || byte == '\x7f'; }, ' '
    );
    return clean;
}

// A name before an address, RFC 5322's display-name.
std::string display_name(std::string_view name)
{
    const auto clean = without_controls(name);
    if (!std::ranges::all_of(clean, is_printable_ascii) || clean.size() > plain_header_max) {
        return encode_header(clean);
    }
    std::string quoted = "\"";
    for (const char byte : clean) {
        if (byte == '"' || byte == '\\') {
            quoted += '\\';
        }
        quoted += byte;
    }
    return quoted + '"';
}

void add_header(std::string& out, std::string_view name, std::string_view value)
{
    out.append(name).append(": ").append(value).append("\r\n");
}

// RFC 5322's date-time, which differs from HTTP's in the zone alone.
std::string mail_date(Timestamp time)
{
    auto date = to_http_date(time);
    date.replace(date.size() - 3, 3, "+0000");
    return date;
}

void add_part(std::string& out, std::string_view boundary, std::string_view type, std::string_view body)
{
    out.append("--").append(boundary).append("\r\n");
    add_header(out, "Content-Type", std::string(type) + "; charset=utf-8");
    add_header(out, "Content-Transfer-Encoding", "quoted-printable");
    out.append("\r\n").append(quoted_printable(body)).append("\r\n");
}

// One line of quoted-printable under construction.
class QuotedLine {
public:
    explicit QuotedLine(std::string& out) : out_(out) {}

    void add(std::string_view encoded)
    {
        if (length_ + encoded.size() > quoted_line_max - 1) {
            out_ += "=\r\n";
            length_ = 0;
        }
        out_ += encoded;
        length_ += encoded.size();
    }

    void end()
    {
        out_ += "\r\n";
        length_ = 0;
    }

    bool begins() const { return length_ == 0 || length_ >= quoted_line_max - 1; }

private:
    std::string& out_;
    std::size_t length_ = 0;
};

}  // namespace

std::string encode_header(std::string_view text)
{
    const auto clean = without_controls(text);
    const bool plain = std::ranges::all_of(clean, is_printable_ascii) && !clean.contains("=?");
    if (plain && clean.size() <= plain_header_max) {
        return clean;
    }
    std::string encoded;
    for (std::string_view rest = clean; !rest.empty();) {
        const auto size = whole_characters(rest, word_bytes_max);
        encoded += encoded.empty() ? "" : "\r\n ";
        encoded += "=?UTF-8?B?" + base64_encode(rest.substr(0, size)) + "?=";
        rest.remove_prefix(size);
    }
    return encoded;
}

std::string quoted_printable(std::string_view text)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    QuotedLine line(out);
    for (std::size_t index = 0; index < text.size(); ++index) {
        const char byte = text[index];
        const bool last = index + 1 == text.size();
        const auto next = last ? '\n' : text[index + 1];
        if (byte == '\n' || (byte == '\r' && next == '\n' && !last)) {
            index += byte == '\r' ? 1 : 0;
            line.end();
            continue;
        }
        const bool blank = byte == ' ' || byte == '\t';
        const bool ends_line = next == '\n' || next == '\r';
        const bool literal = blank ? !ends_line : is_printable_ascii(byte) && byte != '=';
        if (literal && !(byte == '.' && line.begins())) {
            line.add({&byte, 1});
            continue;
        }
        const auto value = static_cast<unsigned char>(byte);
        const char escape[] = {'=', digits[value >> 4U], digits[value & 0xfU]};
        line.add({escape, sizeof escape});
    }
    return out;
}

std::string to_mime(const Sender& sender, const Outgoing& mail)
{
    // "=_" stands in no quoted-printable text.
    const auto boundary = "=_" + sha256_hex(mail.message_id).substr(0, boundary_digits);
    std::string out;
    add_header(out, "Date", mail_date(mail.created_at));
    add_header(
        out,
        "From",
        sender.name.empty() ? sender.address : display_name(sender.name) + " <" + sender.address + ">"
    );
    add_header(out, "To", mail.to);
    if (!sender.reply_to.empty()) {
        add_header(out, "Reply-To", sender.reply_to);
    }
    add_header(out, "Subject", encode_header(mail.subject));
    add_header(out, "Message-ID", "<" + mail.message_id + ">");
    add_header(out, "Auto-Submitted", "auto-generated");  // RFC 3834: no holiday notes in return
    add_header(out, "MIME-Version", "1.0");
    add_header(out, "Content-Type", "multipart/alternative;\r\n boundary=\"" + boundary + "\"");
    out += "\r\n";
    add_part(out, boundary, "text/plain", mail.text);
    add_part(out, boundary, "text/html", mail.html);
    out.append("--").append(boundary).append("--\r\n");
    return out;
}

}  // namespace kit::mail
