/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Relative paths. The engine is another process with another working directory: before a relative path is put into an
 * SQE it must have been told ours. One stat() per relative path finds out whether it moved; a directory has the same
 * st_dev and st_ino exactly as long as it is the same.
 */
#include <fcntl.h>

#include "private.h"

int rdl_tell_cwd(struct ringd *rd)
{
	struct ringd_msg msg = { 0 };
	struct ringd_error answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer) };
	RDL_CLOSE int fd = -1;
	struct stat st;
	int r;

	if (stat(".", &st) < 0)
		return rdl_fail(rd, -errno, "working directory");
	if (rd->cwd_told && st.st_dev == rd->cwd_dev && st.st_ino == rd->cwd_ino)
		return 0;
	fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return rdl_fail(rd, -errno, "working directory");
	rd->cwd_told = false;
	r = rdl_request(rd, &msg, RINGD_MSG_SET_CWD, sizeof(msg), fd, &in, sizeof(msg), 0);
	if (r < 0)
		return r;
	rd->cwd_told = true;
	rd->cwd_dev = st.st_dev;
	rd->cwd_ino = st.st_ino;
	return 0;
}
