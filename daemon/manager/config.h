/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ringd was told on its command line. */
#ifndef RD_CONFIG_H
#define RD_CONFIG_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/common/options.h"

struct rd_config {
	bool user;			/* serve our own uid only, change no ids */
	char *runtime_dir;		/* heap */
	char *engine;			/* heap; the ringd-engine program */
	mode_t socket_mode;
	int ready_fd;			/* -1: none */
	unsigned int engine_idle_s;	/* 0: engines stay */
	unsigned int max_tenants;
	struct rd_options options;	/* for the engines; log_level for us too */
};

/*
 * Parses argv; --help, --version and errors end the program. 0, or -errno after the reason was logged. *cfg is the
 * caller's, rd_config_deinit() in both cases.
 */
int rd_config_parse(struct rd_config *cfg, int argc, char **argv);
void rd_config_deinit(struct rd_config *cfg);

#endif
