// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An echo server: each thread has a ring, accepts for ever on the one listening socket, receives into a ring of provided
 * buffers, and sends back. Clients are threads with plain sockets, which compare.
 */
#include "uringapp.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFERS 64U	/* a power of two */
#define SIZE 2048U
#define ROUNDS 50U
#define STOP UINT64_MAX
#define ACCEPTED (UINT64_MAX - 1)

struct server {
	struct io_uring ring;
	struct io_uring_buf_ring *br;
	char *memory;
	int listener, stop;	/* stop: an end of a pipe that ends when all clients have */
};

/* user_data of a request on a connection: what it is, its buffer, its descriptor */
static uint64_t tag(bool send, unsigned int buffer, int fd)
{
	return (uint64_t)send << 63 | (uint64_t)buffer << 32 | (uint32_t)fd;
}

static void give(struct server *s, unsigned int id)
{
	io_uring_buf_ring_add(s->br, s->memory + id * SIZE, SIZE, (uint16_t)id, io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(s->br, 1);
}

static void server_init(struct server *s)
{
	struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = 1 };
	int r;

	app_ring(&s->ring, 256);
	s->memory = malloc(BUFFERS * SIZE);
	if (!s->memory || posix_memalign((void **)&s->br, 4096, BUFFERS * sizeof(struct io_uring_buf)) != 0)
		app_die("memory", ENOMEM);
	reg.ring_addr = (uint64_t)(uintptr_t)s->br;
	r = io_uring_register_buf_ring(&s->ring, &reg, 0);
	if (r < 0)
		app_die("buffer ring", -r);
	io_uring_buf_ring_init(s->br);
	for (unsigned int i = 0; i < BUFFERS; i++)
		give(s, i);
}

static void receive(struct server *s, int fd)
{
	struct io_uring_sqe *sqe = app_sqe(&s->ring, tag(false, 0, fd));

	io_uring_prep_recv(sqe, fd, NULL, SIZE, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 1;
}

static void serve_one(struct server *s, const struct io_uring_cqe *cqe)
{
	uint64_t data = cqe->user_data;
	int fd = (int)(uint32_t)data;

	if (data == ACCEPTED) {
		if (cqe->res < 0 || !(cqe->flags & IORING_CQE_F_MORE))
			app_die("accept", cqe->res < 0 ? -cqe->res : EIO);
		receive(s, cqe->res);
	} else if (data >> 63) {
		if (cqe->res < 0)
			app_die("send", -cqe->res);
		give(s, (unsigned int)(data >> 32) & (BUFFERS - 1));
		receive(s, fd);
	} else if (cqe->res == -ENOBUFS) {
		receive(s, fd);		/* others will give theirs back */
	} else if (cqe->res <= 0) {
		if (cqe->flags & IORING_CQE_F_BUFFER)
			give(s, cqe->flags >> IORING_CQE_BUFFER_SHIFT);
		io_uring_prep_close(app_sqe(&s->ring, STOP - 1024), fd);
	} else {
		unsigned int id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

		io_uring_prep_send(app_sqe(&s->ring, tag(true, id, fd)), fd, s->memory + id * SIZE, (size_t)cqe->res,
				   MSG_WAITALL);
	}
}

static void *server_main(void *arg)
{
	struct server *s = arg;
	struct io_uring_cqe *cqe;
	bool stopped = false;
	static char c;

	server_init(s);
	io_uring_prep_multishot_accept(app_sqe(&s->ring, ACCEPTED), s->listener, NULL, NULL, 0);
	io_uring_prep_read(app_sqe(&s->ring, STOP), s->stop, &c, 1, 0);
	while (!stopped) {
		int r = io_uring_submit_and_wait(&s->ring, 1);

		if (r < 0)
			app_die("submit", -r);
		while (io_uring_peek_cqe(&s->ring, &cqe) == 0) {
			struct io_uring_cqe copy = { .user_data = cqe->user_data, .res = cqe->res, .flags = cqe->flags };

			io_uring_cqe_seen(&s->ring, cqe);
			if (copy.user_data == STOP)
				stopped = true;
			else if (copy.user_data != STOP - 1024)
				serve_one(s, &copy);
		}
	}
	io_uring_queue_exit(&s->ring);
	free(s->br);
	free(s->memory);
	return NULL;
}

static void *client_main(void *arg)
{
	struct sockaddr_in *to = arg;
	char out[3000], in[sizeof(out)];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)to, sizeof(*to)) < 0)
		app_die("connect", errno);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		size_t len = 1 + (i * 997) % sizeof(out);

		for (size_t j = 0; j < len; j++)
			out[j] = (char)(i + j * 7);
		if (send(fd, out, len, 0) != (ssize_t)len || recv(fd, in, len, MSG_WAITALL) != (ssize_t)len)
			app_die("client", errno ? errno : EPIPE);
		if (memcmp(in, out, len) != 0)
			app_die("echo", EBADMSG);
	}
	close(fd);
	return NULL;
}

static void listen_on(struct sockaddr_in *addr, int *listener)
{
	socklen_t len = sizeof(*addr);

	*listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener < 0 || bind(*listener, (struct sockaddr *)addr, len) < 0 || listen(*listener, 128) < 0 ||
	    getsockname(*listener, (struct sockaddr *)addr, &len) < 0)
		app_die("listen", errno);
}

int app_echo(unsigned int threads, unsigned int connections)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct server *servers = calloc(threads, sizeof(*servers));
	pthread_t *ids = calloc(threads + connections, sizeof(*ids));
	int stop[2], listener;

	if (!servers || !ids || pipe(stop) < 0)
		app_die("memory", errno);
	listen_on(&addr, &listener);
	for (unsigned int i = 0; i < threads; i++) {
		servers[i] = (struct server){ .listener = listener, .stop = stop[0] };
		if (pthread_create(&ids[i], NULL, server_main, &servers[i]) != 0)
			app_die("thread", EAGAIN);
	}
	for (unsigned int i = 0; i < connections; i++)
		if (pthread_create(&ids[threads + i], NULL, client_main, &addr) != 0)
			app_die("thread", EAGAIN);
	for (unsigned int i = 0; i < connections; i++)
		pthread_join(ids[threads + i], NULL);
	close(stop[1]);
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	printf("echoed %u rounds in %u connections by %u threads\n", ROUNDS, connections, threads);
	free(servers);
	free(ids);
	return 0;
}
