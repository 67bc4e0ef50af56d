/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringd, the manager. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "config.h"
#include "daemon/common/log.h"
#include "daemon/common/util.h"
#include "manager.h"

/* Descriptors 0 to 2 must be taken, or a socket gets the number that log lines go to. */
static void fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	rd_close(fd);
}

/* Engines hold a descriptor per file of their clients and inherit this. */
static void raise_fd_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);	/* fewer files then */
	}
}

int main(int argc, char **argv)
{
	struct rd_manager manager;
	struct rd_config cfg;
	int r;

	fill_standard_fds();
	rd_log_set_name("ringd");
	r = rd_config_parse(&cfg, argc, argv);
	if (r == 0) {
		if (cfg.options.log_level >= 0)
			rd_log_set_level(cfg.options.log_level);
		raise_fd_limit();
		r = rd_manager_init(&manager, &cfg);
		if (r == 0)
			r = rd_manager_run(&manager);
		rd_manager_deinit(&manager);
	}
	rd_config_deinit(&cfg);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
