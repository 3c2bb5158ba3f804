/* An HTTP server that is never the bottleneck: takes every request, and counts the lines in the bodies.

   usage: http_sink lines|bulk PORT LINES

   lines  each newline in a body is a line;  bulk  each two are one document, as in Elasticsearch's _bulk, and the
   answer has an item for each of them; one without documents is refused, as Elasticsearch does.
   Listens on 127.0.0.1:PORT and prints "listening". When LINES lines have come it prints, times in ns of
   CLOCK_MONOTONIC,
       done FIRST_REQUEST LAST_REQUEST LINES BYTES
   BYTES being those of the bodies as they came. It goes on counting until standard input ends, then prints
       total LINES BYTES CONNECTIONS
   Bodies with a length or in chunks, plain or gzip. Those in gzip are kept as they are, and decompressed when nothing
   has come for a while: what that costs takes no time from whom is measured. Only for the answer to a _bulk the
   documents must be counted at once. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER = 1 << 20, MOST = 128, IDLE_MS = 300, HEAD = 64 << 10 };
static const char ITEM[] = "{\"create\":{\"status\":201}}";
static const char HELLO[] = "{\"name\":\"sink\",\"version\":{\"number\":\"8.19.0\"},\"tagline\":\"You Know, for Search\"}";

struct connection {
    char head[HEAD];
    size_t head_used;
    int in_body, gzip, chunked, get, is_head, bulk_target;
    size_t left;                  /* of the body, or of the chunk */
    enum { SIZE, DATA, AFTER, LAST } chunk;
    size_t chunk_size, chunk_line;
    char *body;                   /* kept when it is in gzip */
    size_t body_used, body_room;
    long newlines;
    long long began;              /* when the head was complete */
};
struct packed { char *data; size_t size; long long began, arrived; };

static int bulk, done;
static long expected, lines, bytes;
static long long first_ns;
static struct packed *waiting;
static size_t waiting_count, waiting_room;

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what) { perror(what); exit(1); }

static void *bigger(void *old, size_t size) {
    void *data = realloc(old, size);
    if (data == NULL) fail("memory");
    return data;
}

static long newlines_in(const char *data, size_t size) {
    long count = 0;
    for (const char *end = data + size; (data = memchr(data, '\n', end - data)) != NULL; data++) count++;
    return count;
}

static void count(long newlines, long long began, long long arrived) {
    long more = bulk ? newlines / 2 : newlines;
    if (more > 0 && first_ns == 0) first_ns = began;  /* what tries the address brings nothing */
    lines += more;
    if (!done && lines >= expected) {
        done = 1;
        printf("done %lld %lld %ld %ld\n", first_ns, arrived, lines, bytes);
        fflush(stdout);
    }
}

static long unpack(const char *data, size_t size) {
    static char out[BUFFER];
    z_stream z = {.next_in = (Bytef *)data, .avail_in = size};
    if (inflateInit2(&z, 31) != Z_OK) fail("inflate");
    long newlines = 0;
    for (int state = Z_OK; state != Z_STREAM_END;) {
        z.next_out = (Bytef *)out;
        z.avail_out = sizeof out;
        state = inflate(&z, Z_NO_FLUSH);
        if (state != Z_OK && state != Z_STREAM_END) {
            fprintf(stderr, "a body is no gzip: %d\n", state);
            exit(1);
        }
        newlines += newlines_in(out, sizeof out - z.avail_out);
        if (state == Z_STREAM_END && z.avail_in > 0) {  /* another member */
            if (inflateReset(&z) != Z_OK) fail("inflate");
            state = Z_OK;
        }
    }
    inflateEnd(&z);
    return newlines;
}

static void unpack_waiting(void) {
    for (size_t i = 0; i < waiting_count; i++) {
        count(unpack(waiting[i].data, waiting[i].size), waiting[i].began, waiting[i].arrived);
        free(waiting[i].data);
    }
    waiting_count = 0;
}

static void put(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) return;  /* whoever asked has gone, which reading will tell */
        data += sent;
        size -= sent;
    }
}

static void answer(int fd, struct connection *c, long documents) {
    static char *text;
    static size_t room;
    char head[256];
    const char *body = HELLO;
    size_t size = sizeof HELLO - 1;
    const char *status = "200 OK";
    if (!c->get && bulk && c->bulk_target && documents == 0) {
        status = "400 Bad Request";
        body = "{\"error\":{\"type\":\"parse_exception\",\"reason\":\"request body is required\"},\"status\":400}";
        size = strlen(body);
    } else if (!c->get && bulk && c->bulk_target) {
        size_t need = 64 + documents * sizeof ITEM;
        if (need > room) text = bigger(text, room = need);
        char *at = text + sprintf(text, "{\"errors\":false,\"items\":[");
        for (long i = 0; i < documents; i++) {
            memcpy(at, ITEM, sizeof ITEM - 1);
            at += sizeof ITEM - 1;
            *at++ = ',';
        }
        if (documents) at--;
        at += sprintf(at, "]}");
        body = text;
        size = at - text;
    }
    int used = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nX-Elastic-Product: Elasticsearch\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status, size);
    put(fd, head, used);
    if (!c->is_head) put(fd, body, size);
}

static void finish(int fd, struct connection *c, long long arrived) {
    long newlines = c->newlines;
    if (c->gzip) {
        /* The answer needs the number of documents before the body is unpacked for counting. */
        if (bulk && c->bulk_target) newlines = unpack(c->body, c->body_used);
        if (waiting_count == waiting_room) {
            waiting_room = waiting_room ? 2 * waiting_room : 1024;
            waiting = bigger(waiting, waiting_room * sizeof *waiting);
        }
        if (bulk && c->bulk_target) {
            count(newlines, c->began, arrived);
            free(c->body);
        } else {
            waiting[waiting_count++] = (struct packed){c->body, c->body_used, c->began, arrived};
        }
        c->body = NULL;
        c->body_used = c->body_room = 0;
    } else if (!c->get && (!bulk || c->bulk_target)) {
        count(newlines, c->began, arrived);
    }
    answer(fd, c, newlines / 2);
    c->in_body = 0;
    c->newlines = 0;
}

static void body(struct connection *c, const char *data, size_t size) {
    bytes += size;
    if (!c->gzip) {
        c->newlines += newlines_in(data, size);
        return;
    }
    if (c->body_used + size > c->body_room) c->body = bigger(c->body, c->body_room = 2 * (c->body_used + size));
    memcpy(c->body + c->body_used, data, size);
    c->body_used += size;
}

static const char *header(const char *head, const char *name) {
    const char *at = strcasestr(head, name);
    return at == NULL ? NULL : at + strlen(name);
}

static void begin(struct connection *c) {
    const char *length = header(c->head, "\r\ncontent-length:"), *encoding = header(c->head, "\r\ncontent-encoding:");
    const char *transfer = header(c->head, "\r\ntransfer-encoding:");
    c->is_head = strncmp(c->head, "HEAD", 4) == 0;
    c->get = c->is_head || strncmp(c->head, "GET", 3) == 0;
    char *line_end = strstr(c->head, "\r\n"), kept = *line_end;
    *line_end = 0;
    c->bulk_target = strstr(c->head, "/_bulk") != NULL;
    *line_end = kept;
    c->gzip = encoding != NULL && strncasecmp(encoding, " gzip", 5) == 0;
    c->chunked = transfer != NULL && strncasecmp(transfer, " chunked", 8) == 0;
    c->left = length == NULL ? 0 : strtoul(length, NULL, 10);
    c->chunk = SIZE;
    c->chunk_size = c->chunk_line = 0;
    c->in_body = 1;
}

/* Takes what has come; 0 when the client talks nonsense. */
static int take(int fd, struct connection *c, const char *data, size_t size, long long arrived) {
    const char *end = data + size;
    for (;;) {
        if (!c->in_body) {
            if (data == end) return 1;
            while (data < end && c->head_used < HEAD - 1) {
                c->head[c->head_used++] = *data++;
                if (c->head_used >= 4 && memcmp(c->head + c->head_used - 4, "\r\n\r\n", 4) == 0) break;
            }
            c->head[c->head_used] = 0;
            if (c->head_used == HEAD - 1) return 0;
            if (c->head_used < 4 || memcmp(c->head + c->head_used - 4, "\r\n\r\n", 4) != 0) return 1;
            begin(c);
            c->began = arrived;
            if (header(c->head, "\r\nexpect: 100") != NULL) put(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
            c->head_used = 0;
        }
        if (!c->chunked) {
            size_t mine = (size_t)(end - data) < c->left ? (size_t)(end - data) : c->left;
            body(c, data, mine);
            data += mine;
            c->left -= mine;
            if (c->left > 0) return 1;
            finish(fd, c, arrived);
            continue;
        }
        while (c->in_body) {
            if (data == end) return 1;
            if (c->chunk == DATA) {
                size_t mine = (size_t)(end - data) < c->left ? (size_t)(end - data) : c->left;
                body(c, data, mine);
                data += mine;
                c->left -= mine;
                if (c->left == 0) c->chunk = AFTER;
                continue;
            }
            char byte = *data++;
            if (byte != '\n') {
                if (c->chunk == SIZE && byte != '\r' && c->chunk_line < 16) {
                    int digit = byte >= '0' && byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10;
                    if (digit < 0 || digit > 15) return 0;
                    c->chunk_size = c->chunk_size * 16 + digit;
                }
                c->chunk_line++;
            } else if (c->chunk == SIZE) {
                c->left = c->chunk_size;
                c->chunk = c->chunk_size ? DATA : LAST;
                c->chunk_size = c->chunk_line = 0;
            } else if (c->chunk == AFTER) {
                c->chunk = SIZE;
                c->chunk_line = 0;
            } else {
                finish(fd, c, arrived);
            }
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: http_sink lines|bulk PORT LINES\n");
        return 2;
    }
    bulk = strcmp(argv[1], "bulk") == 0;
    expected = atol(argv[3]);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, MOST)) fail("listen");
    printf("listening\n");
    fflush(stdout);

    static char data[BUFFER];
    struct pollfd polled[MOST + 2] = {{.fd = 0, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
    struct connection *open[MOST + 2];
    int many = 2;
    long connections = 0;
    for (;;) {
        int found = poll(polled, many, waiting_count ? IDLE_MS : -1);
        if (found < 0 && errno != EINTR) fail("poll");
        if (found == 0) unpack_waiting();
        if (polled[0].revents) break;
        if (polled[1].revents && many < MOST + 2) {
            int fd = accept(listener, NULL, NULL);
            if (fd < 0) fail("accept");
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            open[many] = calloc(1, sizeof(struct connection));
            if (open[many] == NULL) fail("memory");
            polled[many] = (struct pollfd){.fd = fd, .events = POLLIN};
            many++, connections++;
            continue;
        }
        for (int i = 2; i < many; i++) {
            if (!polled[i].revents) continue;
            ssize_t got = read(polled[i].fd, data, sizeof data);
            long long arrived = now();
            if (got > 0 && take(polled[i].fd, open[i], data, got, arrived)) continue;
            close(polled[i].fd);
            free(open[i]->body);
            free(open[i]);
            many--;
            polled[i] = polled[many];
            open[i] = open[many];
            i--;
        }
    }
    unpack_waiting();
    printf("total %ld %ld %ld\n", lines, bytes, connections);
    return 0;
}
