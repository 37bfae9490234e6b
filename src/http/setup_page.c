#include "http/setup_page.h"

#include "http/setup_code.h"

static const char page_head[] = "<!DOCTYPE html>\n"
                                "<html lang=\"en\">\n"
                                "<head>\n"
                                "  <meta charset=\"utf-8\">\n"
                                "  <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                                "  <meta name=\"color-scheme\" content=\"light dark\">\n"
                                "  <title>Setting up chats</title>\n"
                                "  <link rel=\"icon\" href=\"data:,\">\n"
                                "  <link rel=\"stylesheet\" href=\"style.css\">\n"
                                "</head>\n"
                                "<body>\n"
                                "  <main>\n"
                                "    <h1>Setting up chats</h1>\n";

static const char page_end[] = "  </main>\n"
                               "</body>\n"
                               "</html>\n";

static const char page_no_code[] =
    "    <p>chats is installed here, and finds no home: the folder with its data.</p>\n"
    "    <p>Whoever may upload files here can make one. Put a file named <code>" SETUP_CODE_FILE "</code> beside the\n"
    "      program <code>chats.fcgi</code>. Its first line is a code that you make up, of 16 characters or more. Then\n"
    "      open this page again.</p>\n";

static void append_form(const struct setup_page *page, struct buffer *out)
{
    buffer_append_z(out, page->adds_account ? "    <p>This adds an account to the data that are there"
                                            : "    <p>This makes the folder with the data, and the first account");
    buffer_append_z(out, ": a service, which may make other\n"
                         "      accounts and act for all users. It can be done once.</p>\n"
                         "    <form method=\"post\" action=\"" SETUP_ADDRESS "\" accept-charset=\"utf-8\">\n"
                         "      <div class=\"fields\">\n"
                         "        <label>The code in the file " SETUP_CODE_FILE
                         " <input name=\"code\" type=\"password\" autocomplete=\"off\" required></label>\n"
                         "        <label>Name of the account <input name=\"account\" autocomplete=\"username\" "
                         "autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"255\" required value=\"");
    setup_page_escape(out, page->account);
    buffer_printf(out,
                  "\"></label>\n"
                  "        <label>Its secret, %u characters or more <input name=\"secret\" type=\"password\" "
                  "autocomplete=\"new-password\" minlength=\"%u\" required></label>\n"
                  "        <label>The secret again <input name=\"again\" type=\"password\" "
                  "autocomplete=\"new-password\" required></label>\n"
                  "      </div>\n"
                  "      <p>The secret is stored as a hash only: keep it, nobody can show it to you again. The answer "
                  "takes some seconds.</p>\n"
                  "      <button>Set up</button>\n"
                  "    </form>\n",
                  CRYPTO_PASSWORD_BYTES_MIN, CRYPTO_PASSWORD_BYTES_MIN);
}

static void append_done(const struct setup_page *page, struct buffer *out)
{
    buffer_append_z(out, "    <p>chats is set up. The account is <strong>");
    setup_page_escape(out, page->account);
    buffer_append_z(out, "</strong>, with the secret that you gave. This page is gone from now on.</p>\n"
                         "    <p><a href=\"index.html\">Send the first message</a></p>\n");
}

void setup_page_escape(struct buffer *out, struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        switch (t.data[i]) {
        case '&':
            buffer_append_z(out, "&amp;");
            break;
        case '<':
            buffer_append_z(out, "&lt;");
            break;
        case '>':
            buffer_append_z(out, "&gt;");
            break;
        case '"':
            buffer_append_z(out, "&quot;");
            break;
        case '\'':
            buffer_append_z(out, "&#39;");
            break;
        default:
            buffer_append(out, &t.data[i], 1);
        }
    }
}

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 429:
        return "Too Many Requests";
    case 503:
        return "Service Unavailable";
    default:
        return "Internal Server Error";
    }
}

static void append_body(const struct setup_page *page, struct buffer *out)
{
    buffer_append_z(out, page_head);
    if (page->message) {
        buffer_append_z(out, "    <p class=\"bar\" role=\"alert\">");
        setup_page_escape(out, text_of(page->message));
        buffer_append_z(out, "</p>\n");
    }
    switch (page->kind) {
    case SETUP_PAGE_FORM:
        append_form(page, out);
        break;
    case SETUP_PAGE_NO_CODE:
        buffer_append_z(out, page_no_code);
        break;
    case SETUP_PAGE_DONE:
        append_done(page, out);
        break;
    case SETUP_PAGE_REFUSED:
        break;
    }
    buffer_append_z(out, page_end);
}

void setup_page_render(const struct setup_page *page, bool discards, struct buffer *out)
{
    struct buffer body;
    buffer_init(&body, SETUP_PAGE_BYTES_MAX);
    append_body(page, &body);
    buffer_printf(out,
                  "Status: %d %s\r\n"
                  "Content-Type: text/html; charset=utf-8\r\n"
                  "Content-Length: %zu\r\n"
                  "Cache-Control: no-store\r\n"
                  "X-Content-Type-Options: nosniff\r\n"
                  "Referrer-Policy: no-referrer\r\n"
                  "Content-Security-Policy: default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
                  "base-uri 'none'; frame-ancestors 'none'\r\n",
                  page->status, reason(page->status), body.bytes);
    if (page->status == 405) {
        buffer_append_z(out, "Allow: GET, HEAD, POST\r\n");
    }
    if (page->status == 429 || page->status == 503) {
        buffer_append_z(out, "Retry-After: 10\r\n");
    }
    buffer_append_z(out, "\r\n");
    if (!discards) {
        buffer_append(out, body.data, body.bytes);
    }
    out->failed = out->failed || body.failed;
    buffer_clear(&body);
}
