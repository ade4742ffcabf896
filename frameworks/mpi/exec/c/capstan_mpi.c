/* The client of Capstan's package frameworks/mpi/exec, whose comment is the protocol. */
#define _GNU_SOURCE

#include "capstan_mpi.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HELLO = 1, SEGMENT, RELEASE, WAIT, ABORT, FINALIZE };
enum { SEND = 16, SSEND, RECV, PROBE, IPROBE };
enum {
    BARRIER = 32, BCAST, GATHER, GATHERV, SCATTER, SCATTERV, ALLGATHER, ALLGATHERV, ALLTOALL, ALLTOALLV,
    REDUCE, ALLREDUCE, REDUCE_SCATTER, SCAN, EXSCAN
};
enum { SPLIT = 48, DUP, SPLIT_HOST, FREE };
enum { REQUEST_SIZE = 88, ANSWER_SIZE = 64, WAITS = 1, SMALL = 64 << 10 };

typedef struct {
    uint32_t command, number, status, inline_, segment, comm;
    int32_t peer, tag;
    uint16_t kind;
    uint64_t offset, length;
    int64_t value;
    int fd;
} answer;

typedef struct segment {
    struct segment *next;
    uint32_t number;
    char *at;
    size_t length;
    int scratch, busy;
} segment;

struct cmpi_request_s {
    struct cmpi_request_s *next; /* of those that are not answered */
    uint32_t number;
    int done;
    answer a;
    void *into; /* where the bytes belong */
    size_t room;
    segment *out, *in; /* scratch in use */
    char *text; /* of an error */
};

typedef struct {
    uint32_t command;
    cmpi_comm comm;
    int peer, tag;
    cmpi_kind kind;
    cmpi_op op;
    const void *data;
    size_t bytes;
    const size_t *counts, *from; /* elements, one for each rank */
    void *into;
    size_t room; /* bytes */
    int64_t value;
    int waits;
} call;

typedef struct {
    int rank, size;
} member;

static struct {
    int fd;
    uint32_t next;
    struct cmpi_request_s *pending;
    segment *segments;
    member *comms;
    uint32_t comms_room;
    int returns, lost;
    char error[1024];
} self = {.fd = -1};

/* ---- errors */

static int fail(int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(self.error, sizeof self.error, format, args);
    va_end(args);
    if (!self.returns) {
        fprintf(stderr, "capstan_mpi: %s\n", self.error);
        cmpi_abort(1, self.error);
    }
    return code;
}

static int gone(void) { return fail(CMPI_ERR_ENDED, "the rank's proxy is gone: the job has ended"); }

const char *cmpi_error(void) { return self.error; }
int cmpi_lost(void) { return self.lost; }
void cmpi_errors_return(int yes) { self.returns = yes; }

/* ---- little-endian */

static void put(unsigned char *b, uint64_t v, int n) {
    for (int i = 0; i < n; i++) b[i] = (unsigned char)(v >> 8 * i);
}

static uint64_t take(const unsigned char *b, int n) {
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint64_t)b[i] << 8 * i;
    return v;
}

static size_t width(cmpi_kind k) {
    static const unsigned char sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 8, 16};
    return (size_t)k < sizeof sizes ? sizes[k] : 1;
}

/* ---- the socket */

static int write_all(struct iovec *v, int n) {
    struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
    while (m.msg_iovlen) {
        ssize_t did = sendmsg(self.fd, &m, MSG_NOSIGNAL);
        if (did < 0 && errno == EINTR) continue;
        if (did < 0) return -1;
        while (m.msg_iovlen && (size_t)did >= m.msg_iov->iov_len) {
            did -= (ssize_t)m.msg_iov->iov_len;
            m.msg_iov++;
            m.msg_iovlen--;
        }
        if (m.msg_iovlen) {
            m.msg_iov->iov_base = (char *)m.msg_iov->iov_base + did;
            m.msg_iov->iov_len -= (size_t)did;
        }
    }
    return 0;
}

static int read_all(void *to, size_t n) {
    for (char *at = to; n;) {
        ssize_t got = read(self.fd, at, n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return -1;
        at += got;
        n -= (size_t)got;
    }
    return 0;
}

static int skip(size_t n) {
    char sink[512];
    while (n) {
        size_t some = n < sizeof sink ? n : sizeof sink;
        if (read_all(sink, some)) return -1;
        n -= some;
    }
    return 0;
}

/* Reads the fixed part of an answer, and the descriptor that comes with it. */
static int read_head(answer *a) {
    unsigned char b[ANSWER_SIZE];
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec v = {b, sizeof b};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t got;
    do got = recvmsg(self.fd, &m, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got <= 0 || read_all(b + got, sizeof b - (size_t)got)) return -1;
    memset(a, 0, sizeof *a);
    a->fd = -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) memcpy(&a->fd, CMSG_DATA(c), sizeof a->fd);
    a->command = (uint32_t)take(b, 4);
    a->number = (uint32_t)take(b + 4, 4);
    a->status = (uint32_t)take(b + 8, 4);
    a->inline_ = (uint32_t)take(b + 12, 4);
    a->peer = (int32_t)take(b + 16, 4);
    a->tag = (int32_t)take(b + 20, 4);
    a->kind = (uint16_t)take(b + 24, 2);
    a->segment = (uint32_t)take(b + 32, 4);
    a->comm = (uint32_t)take(b + 36, 4);
    a->offset = take(b + 40, 8);
    a->length = take(b + 48, 8);
    a->value = (int64_t)take(b + 56, 8);
    return 0;
}

/* Takes what follows the answer to r. */
static int read_body(struct cmpi_request_s *r) {
    size_t rest = r->a.inline_;
    if (r->a.status) {
        r->text = calloc(1, rest + 1);
        return r->text ? read_all(r->text, rest) : skip(rest);
    }
    size_t some = r->into && rest <= r->room ? rest : 0;
    if (some && read_all(r->into, some)) return -1;
    if (r->in && r->a.segment) memcpy(r->into, r->in->at, r->a.length);
    return skip(rest - some);
}

/* Reads one answer, whosever it is. */
static int read_answer(void) {
    answer a;
    if (read_head(&a)) return -1;
    for (struct cmpi_request_s **p = &self.pending; *p; p = &(*p)->next) {
        struct cmpi_request_s *r = *p;
        if (r->number != a.number) continue;
        *p = r->next;
        r->a = a;
        r->done = 1;
        return read_body(r);
    }
    if (a.fd >= 0) close(a.fd);
    return skip(a.inline_);
}

/* ---- segments */

static segment *segment_of(const void *at, size_t bytes) {
    for (segment *s = self.segments; s; s = s->next)
        if (!s->scratch && (const char *)at >= s->at && (const char *)at + bytes <= s->at + s->length) return s;
    return NULL;
}

static int begin(const call *, struct cmpi_request_s **);
static int finish(struct cmpi_request_s *, cmpi_status *);

static segment *segment_make(size_t bytes, int scratch) {
    struct cmpi_request_s *r;
    call c = {.command = SEGMENT, .value = (int64_t)(bytes ? bytes : 1)};
    if (begin(&c, &r)) return NULL;
    while (!r->done)
        if (read_answer()) break;
    int fd = r->done ? r->a.fd : -1;
    segment *s = fd >= 0 && !r->a.status ? calloc(1, sizeof *s) : NULL;
    if (s) {
        s->number = r->a.segment;
        s->length = r->a.length;
        s->scratch = scratch;
        s->at = mmap(NULL, s->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (s->at == MAP_FAILED) {
            free(s);
            s = NULL;
        } else {
            s->next = self.segments;
            self.segments = s;
        }
    }
    if (fd >= 0) close(fd);
    if (r->done) {
        free(r->text);
        free(r);
    }
    return s;
}

static void segment_drop(segment *s) {
    for (segment **p = &self.segments; *p; p = &(*p)->next)
        if (*p == s) {
            *p = s->next;
            break;
        }
    munmap(s->at, s->length);
    unsigned char b[REQUEST_SIZE] = {0};
    put(b, RELEASE, 4);
    put(b + 4, ++self.next, 4);
    put(b + 36, s->number, 4);
    struct iovec v = {b, sizeof b};
    write_all(&v, 1);
    free(s);
}

/* Scratch of at least so many bytes, until busy is 0 again. */
static segment *scratch(size_t bytes) {
    segment *small = NULL;
    for (segment *s = self.segments; s; s = s->next) {
        if (!s->scratch || s->busy) continue;
        if (s->length >= bytes) {
            s->busy = 1;
            return s;
        }
        small = s;
    }
    if (small) segment_drop(small);
    size_t room = 1 << 20;
    while (room < bytes) room *= 2;
    segment *s = segment_make(room, 1);
    if (s) s->busy = 1;
    return s;
}

void *cmpi_alloc(size_t bytes) {
    segment *s = segment_make(bytes, 0);
    return s ? s->at : NULL;
}

void cmpi_free(void *at) {
    for (segment *s = self.segments; s; s = s->next)
        if (s->at == at) {
            segment_drop(s);
            return;
        }
}

/* ---- calls */

/* Writes a request with nothing inline but its data; it has no answer. */
static int tell(uint32_t command, int64_t value, const void *data, size_t n) {
    unsigned char b[REQUEST_SIZE] = {0};
    put(b, command, 4);
    put(b + 4, ++self.next, 4);
    put(b + 28, n, 4);
    put(b + 80, (uint64_t)value, 8);
    struct iovec v[2] = {{b, sizeof b}, {(void *)data, n}};
    return write_all(v, 2);
}

/* Chooses the way of the bytes to send: inline, in a segment, by scratch. */
static int outgoing(struct cmpi_request_s *r, const call *c, unsigned char *b, struct iovec *v) {
    if (c->bytes <= SMALL) {
        v->iov_base = (void *)c->data;
        v->iov_len = c->bytes;
        return 0;
    }
    const char *at = c->data;
    segment *s = segment_of(at, c->bytes);
    if (!s) {
        if (!(s = r->out = scratch(c->bytes))) return fail(CMPI_ERR_RESOURCE, "no memory for %zu bytes to send", c->bytes);
        memcpy(s->at, at, c->bytes);
        at = s->at;
    }
    put(b + 36, s->number, 4);
    put(b + 40, (uint64_t)(at - s->at), 8);
    put(b + 48, c->bytes, 8);
    return 0;
}

/* Chooses the way of the bytes to come. */
static int incoming(struct cmpi_request_s *r, const call *c, unsigned char *b) {
    put(b + 72, c->room, 8);
    if (c->room <= SMALL) return 0;
    const char *at = c->into;
    segment *s = segment_of(at, c->room);
    if (!s) {
        if (!(s = r->in = scratch(c->room))) return fail(CMPI_ERR_RESOURCE, "no memory for %zu bytes to come", c->room);
        at = s->at;
    }
    put(b + 56, s->number, 4);
    put(b + 64, (uint64_t)(at - s->at), 8);
    return 0;
}

static void release(struct cmpi_request_s *r) {
    if (r->out) r->out->busy = 0;
    if (r->in) r->in->busy = 0;
    free(r->text);
    free(r);
}

static int begin(const call *c, struct cmpi_request_s **out) {
    *out = NULL;
    if (self.fd < 0) return fail(CMPI_ERR_REQUEST, "cmpi_init has not been called, or cmpi_finalize has");
    struct cmpi_request_s *r = calloc(1, sizeof *r);
    if (!r) return fail(CMPI_ERR_RESOURCE, "no memory for a request");
    size_t ranks = c->counts ? (size_t)cmpi_size(c->comm) : 0, all = c->from ? 2 * ranks : ranks, wide = width(c->kind);
    unsigned char *b = calloc(1, REQUEST_SIZE + 8 * all);
    if (!b) {
        free(r);
        return fail(CMPI_ERR_RESOURCE, "no memory for a request");
    }
    struct iovec v[2] = {{b, REQUEST_SIZE + 8 * all}, {NULL, 0}};
    r->into = c->into;
    r->room = c->room;
    int bad = outgoing(r, c, b, &v[1]);
    if (!bad) bad = incoming(r, c, b);
    if (bad) {
        free(b);
        release(r);
        return bad;
    }
    r->number = ++self.next;
    put(b, c->command, 4);
    put(b + 4, r->number, 4);
    put(b + 8, c->comm, 4);
    put(b + 12, c->waits ? WAITS : 0, 4);
    put(b + 16, (uint32_t)c->peer, 4);
    put(b + 20, (uint32_t)c->tag, 4);
    put(b + 24, c->kind, 2);
    put(b + 26, c->op, 2);
    put(b + 28, 8 * all + v[1].iov_len, 4);
    put(b + 32, all, 4);
    put(b + 80, (uint64_t)c->value, 8);
    for (size_t i = 0; i < all; i++)
        put(b + REQUEST_SIZE + 8 * i, (i < ranks ? c->counts[i] : c->from[i - ranks]) * wide, 8);
    r->next = self.pending;
    self.pending = r;
    bad = write_all(v, 2);
    free(b);
    if (bad) {
        self.pending = r->next;
        release(r);
        return gone();
    }
    *out = r;
    return 0;
}

static void describe(const struct cmpi_request_s *r, cmpi_status *s) {
    if (!s) return;
    s->source = r->a.peer;
    s->tag = r->a.tag;
    s->kind = (cmpi_kind)r->a.kind;
    s->n = r->a.length / width(s->kind);
}

/* Waits for r, and frees it. */
static int finish(struct cmpi_request_s *r, cmpi_status *s) {
    while (!r->done)
        if (read_answer()) return gone(); /* r is in pending for ever */
    int code = (int)r->a.status;
    describe(r, s);
    if (code) {
        self.lost = r->a.peer;
        char text[sizeof self.error];
        snprintf(text, sizeof text, "%s", r->text ? r->text : "no memory for the text of an error");
        release(r);
        return fail(code, "%s", text);
    }
    release(r);
    return 0;
}

static int run(call c, cmpi_status *s) {
    struct cmpi_request_s *r;
    c.waits = 1;
    int bad = begin(&c, &r);
    return bad ? bad : finish(r, s);
}

/* ---- life */

static int enrol(cmpi_comm c, int rank, int size) {
    if (c >= self.comms_room) {
        uint32_t room = c + 16;
        member *m = realloc(self.comms, room * sizeof *m);
        if (!m) return fail(CMPI_ERR_RESOURCE, "no memory for a communicator");
        memset(m + self.comms_room, 0, (room - self.comms_room) * sizeof *m);
        self.comms = m;
        self.comms_room = room;
    }
    self.comms[c].rank = rank;
    self.comms[c].size = size;
    return 0;
}

int cmpi_init(void) {
    const char *fd = getenv("CAPSTAN_MPI_FD");
    if (!fd) {
        fprintf(stderr, "capstan_mpi: this process is no rank of an MPI job: start it by"
                        " capstan mpiexec -n 2 capstan mpi-rank PROGRAM\n");
        exit(2);
    }
    self.fd = atoi(fd);
    unsetenv("CAPSTAN_MPI_FD");
    static const char hello[] = "CAPMPI01";
    struct cmpi_request_s *r;
    call c = {.command = HELLO, .data = hello, .bytes = 8};
    int bad = begin(&c, &r);
    if (bad) return bad;
    while (!r->done)
        if (read_answer()) return gone();
    int rank = r->a.peer, size = (int)r->a.value;
    if ((bad = finish(r, NULL))) return bad;
    if ((bad = enrol(CMPI_WORLD, rank, size))) return bad;
    return enrol(CMPI_SELF, 0, 1);
}

int cmpi_finalize(void) {
    int bad = run((call){.command = FINALIZE}, NULL);
    close(self.fd);
    self.fd = -1;
    return bad;
}

void cmpi_abort(int code, const char *why) {
    if (self.fd >= 0) tell(ABORT, code, why, why ? strlen(why) : 0);
    fflush(NULL);
    _exit(code);
}

int cmpi_rank(cmpi_comm c) { return c < self.comms_room ? self.comms[c].rank : -1; }
int cmpi_size(cmpi_comm c) { return c < self.comms_room ? self.comms[c].size : 0; }

/* ---- one to one */

static call sending(uint32_t command, const void *data, size_t n, cmpi_kind k, int dest, int tag, cmpi_comm comm) {
    return (call){.command = command, .comm = comm, .peer = dest, .tag = tag, .kind = k, .data = data, .bytes = n * width(k)};
}

static call receiving(void *into, size_t room, cmpi_kind k, int source, int tag, cmpi_comm comm) {
    return (call){.command = RECV, .comm = comm, .peer = source, .tag = tag, .kind = k, .into = into, .room = room * width(k)};
}

int cmpi_send(const void *data, size_t n, cmpi_kind k, int dest, int tag, cmpi_comm comm) {
    return run(sending(SEND, data, n, k, dest, tag, comm), NULL);
}

int cmpi_ssend(const void *data, size_t n, cmpi_kind k, int dest, int tag, cmpi_comm comm) {
    return run(sending(SSEND, data, n, k, dest, tag, comm), NULL);
}

int cmpi_recv(void *into, size_t room, cmpi_kind k, int source, int tag, cmpi_comm comm, cmpi_status *s) {
    return run(receiving(into, room, k, source, tag, comm), s);
}

int cmpi_isend(const void *data, size_t n, cmpi_kind k, int dest, int tag, cmpi_comm comm, cmpi_request *r) {
    call c = sending(SEND, data, n, k, dest, tag, comm);
    return begin(&c, r);
}

int cmpi_irecv(void *into, size_t room, cmpi_kind k, int source, int tag, cmpi_comm comm, cmpi_request *r) {
    call c = receiving(into, room, k, source, tag, comm);
    return begin(&c, r);
}

int cmpi_sendrecv(const void *data, size_t n, int dest, int sendtag, void *into, size_t room, int source, int recvtag,
                  cmpi_kind k, cmpi_comm comm, cmpi_status *s) {
    cmpi_request r[2];
    cmpi_status got[2];
    int bad = cmpi_irecv(into, room, k, source, recvtag, comm, &r[0]);
    if (!bad) bad = cmpi_isend(data, n, k, dest, sendtag, comm, &r[1]);
    if (!bad) bad = cmpi_waitall(2, r, got);
    if (!bad && s) *s = got[0];
    return bad;
}

int cmpi_probe(int source, int tag, cmpi_comm comm, cmpi_status *s) {
    return run((call){.command = PROBE, .comm = comm, .peer = source, .tag = tag}, s);
}

int cmpi_iprobe(int source, int tag, cmpi_comm comm, int *there, cmpi_status *s) {
    struct cmpi_request_s *r;
    call c = {.command = IPROBE, .comm = comm, .peer = source, .tag = tag};
    int bad = begin(&c, &r);
    if (bad) return bad;
    while (!r->done)
        if (read_answer()) return gone();
    *there = r->a.value != 0;
    return finish(r, s);
}

int cmpi_wait(cmpi_request *r, cmpi_status *s) { return cmpi_waitall(1, r, s); }

int cmpi_waitall(size_t n, cmpi_request *r, cmpi_status *s) {
    size_t left = 0;
    unsigned char *numbers = malloc(4 * n + 1);
    for (size_t i = 0; numbers && i < n; i++)
        if (r[i] && !r[i]->done) put(numbers + 4 * left++, r[i]->number, 4);
    if (left) tell(WAIT, 1, numbers, 4 * left);
    free(numbers);
    int first = 0;
    for (size_t i = 0; i < n; i++) {
        int bad = r[i] ? finish(r[i], s ? &s[i] : NULL) : 0;
        r[i] = NULL;
        if (!first) first = bad;
    }
    return first;
}

int cmpi_test(cmpi_request *r, int *done, cmpi_status *s) {
    struct pollfd p = {self.fd, POLLIN, 0};
    while (*r && !(*r)->done && poll(&p, 1, 0) > 0)
        if (read_answer()) return gone();
    *done = !*r || (*r)->done;
    if (!*done || !*r) return 0;
    cmpi_request it = *r;
    *r = NULL;
    return finish(it, s);
}

/* ---- all together */

int cmpi_barrier(cmpi_comm comm) { return run((call){.command = BARRIER, .comm = comm}, NULL); }

int cmpi_ibarrier(cmpi_comm comm, cmpi_request *r) {
    call c = {.command = BARRIER, .comm = comm};
    return begin(&c, r);
}

int cmpi_bcast(void *data, size_t n, cmpi_kind k, int root, cmpi_comm comm) {
    call c = {.command = BCAST, .comm = comm, .peer = root, .kind = k};
    if (cmpi_rank(comm) == root) {
        c.data = data;
        c.bytes = n * width(k);
    } else {
        c.into = data;
        c.room = n * width(k);
    }
    return run(c, NULL);
}

static size_t total(const size_t *counts, cmpi_comm comm) {
    size_t n = 0;
    for (int i = 0; i < cmpi_size(comm); i++) n += counts[i];
    return n;
}

static size_t ranks(cmpi_comm comm) { return (size_t)cmpi_size(comm); }

/* A call that gives n elements and gets so many. */
static call exchange(uint32_t command, const void *data, size_t n, void *into, size_t room, cmpi_kind k, int root, cmpi_comm comm) {
    call c = sending(command, data, n, k, root, 0, comm);
    c.into = into;
    c.room = room * width(k);
    return c;
}

int cmpi_gather(const void *data, size_t n, void *into, cmpi_kind k, int root, cmpi_comm comm) {
    size_t room = cmpi_rank(comm) == root ? n * ranks(comm) : 0;
    return run(exchange(GATHER, data, n, into, room, k, root, comm), NULL);
}

int cmpi_gatherv(const void *data, size_t n, void *into, const size_t *counts, cmpi_kind k, int root, cmpi_comm comm) {
    int here = cmpi_rank(comm) == root;
    call c = exchange(GATHERV, data, n, into, here ? total(counts, comm) : 0, k, root, comm);
    c.counts = here ? counts : NULL;
    return run(c, NULL);
}

int cmpi_scatter(const void *data, void *into, size_t n, cmpi_kind k, int root, cmpi_comm comm) {
    size_t all = cmpi_rank(comm) == root ? n * ranks(comm) : 0;
    return run(exchange(SCATTER, data, all, into, n, k, root, comm), NULL);
}

int cmpi_scatterv(const void *data, const size_t *counts, void *into, size_t n, cmpi_kind k, int root, cmpi_comm comm) {
    int here = cmpi_rank(comm) == root;
    call c = exchange(SCATTERV, data, here ? total(counts, comm) : 0, into, n, k, root, comm);
    c.counts = here ? counts : NULL;
    return run(c, NULL);
}

int cmpi_allgather(const void *data, size_t n, void *into, cmpi_kind k, cmpi_comm comm) {
    return run(exchange(ALLGATHER, data, n, into, n * ranks(comm), k, 0, comm), NULL);
}

int cmpi_allgatherv(const void *data, size_t n, void *into, const size_t *counts, cmpi_kind k, cmpi_comm comm) {
    call c = exchange(ALLGATHERV, data, n, into, total(counts, comm), k, 0, comm);
    c.counts = counts;
    return run(c, NULL);
}

int cmpi_alltoall(const void *data, void *into, size_t n, cmpi_kind k, cmpi_comm comm) {
    size_t all = n * ranks(comm);
    return run(exchange(ALLTOALL, data, all, into, all, k, 0, comm), NULL);
}

int cmpi_alltoallv(const void *data, const size_t *to, void *into, const size_t *from, cmpi_kind k, cmpi_comm comm) {
    call c = exchange(ALLTOALLV, data, total(to, comm), into, total(from, comm), k, 0, comm);
    c.counts = to;
    c.from = from;
    return run(c, NULL);
}

static call folding(uint32_t command, const void *data, void *into, size_t n, cmpi_kind k, cmpi_op op, cmpi_comm comm) {
    call c = sending(command, data, n, k, 0, 0, comm);
    c.op = op;
    c.into = into;
    c.room = n * width(k);
    return c;
}

int cmpi_reduce(const void *data, void *into, size_t n, cmpi_kind k, cmpi_op op, int root, cmpi_comm comm) {
    call c = folding(REDUCE, data, into, n, k, op, comm);
    c.peer = root;
    if (cmpi_rank(comm) != root) c.room = 0;
    return run(c, NULL);
}

int cmpi_allreduce(const void *data, void *into, size_t n, cmpi_kind k, cmpi_op op, cmpi_comm comm) {
    return run(folding(ALLREDUCE, data, into, n, k, op, comm), NULL);
}

int cmpi_iallreduce(const void *data, void *into, size_t n, cmpi_kind k, cmpi_op op, cmpi_comm comm, cmpi_request *r) {
    call c = folding(ALLREDUCE, data, into, n, k, op, comm);
    return begin(&c, r);
}

int cmpi_reduce_scatter(const void *data, const size_t *counts, void *into, cmpi_kind k, cmpi_op op, cmpi_comm comm) {
    call c = folding(REDUCE_SCATTER, data, into, total(counts, comm), k, op, comm);
    c.counts = counts;
    c.room = counts[cmpi_rank(comm)] * width(k);
    return run(c, NULL);
}

int cmpi_scan(const void *data, void *into, size_t n, cmpi_kind k, cmpi_op op, cmpi_comm comm) {
    return run(folding(SCAN, data, into, n, k, op, comm), NULL);
}

int cmpi_exscan(const void *data, void *into, size_t n, cmpi_kind k, cmpi_op op, cmpi_comm comm) {
    return run(folding(EXSCAN, data, into, n, k, op, comm), NULL);
}

/* ---- communicators */

static int divide(call c, cmpi_comm *out) {
    struct cmpi_request_s *r;
    c.waits = 1;
    int bad = begin(&c, &r);
    if (bad) return bad;
    while (!r->done)
        if (read_answer()) return gone();
    int rank = r->a.peer, size = (int)r->a.value;
    *out = r->a.comm;
    if ((bad = finish(r, NULL))) return bad;
    return *out == CMPI_NONE ? 0 : enrol(*out, rank, size);
}

int cmpi_split(cmpi_comm comm, int color, int key, cmpi_comm *out) {
    return divide((call){.command = SPLIT, .comm = comm, .tag = color, .value = key}, out);
}

int cmpi_dup(cmpi_comm comm, cmpi_comm *out) { return divide((call){.command = DUP, .comm = comm}, out); }

int cmpi_split_host(cmpi_comm comm, cmpi_comm *out) {
    return divide((call){.command = SPLIT_HOST, .comm = comm}, out);
}

int cmpi_comm_free(cmpi_comm *comm) {
    int bad = run((call){.command = FREE, .comm = *comm}, NULL);
    *comm = CMPI_NONE;
    return bad;
}
