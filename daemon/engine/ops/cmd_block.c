/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of block devices: the ioctls that do the same. Range, alignment and mode are checked by the kernel. */
#include <linux/blkzoned.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "cmd.h"

#define RD_SECTOR_SHIFT	9	/* in which zones are counted, whatever the device's own blocks are */

int rd_cmd_block_start(struct rd_req *req)
{
	const struct rd_cmd *cmd = &req->cmd;

	if (cmd->op != RINGD_BLOCK_OP_DISCARD && cmd->op != RINGD_BLOCK_OP_ZONE_RESET_ALL)
		return -EOPNOTSUPP;
	if (cmd->len || cmd->optlen || cmd->tail)
		return -EINVAL;
	if (cmd->op == RINGD_BLOCK_OP_ZONE_RESET_ALL && (cmd->addr || cmd->addr3))
		return -EINVAL;
	return RD_PUNT;
}

static int discard(int fd, const struct rd_cmd *cmd)
{
	uint64_t range[2] = { cmd->addr, cmd->addr3 };

	return ioctl(fd, BLKDISCARD, range) < 0 ? -errno : 0;
}

static int reset_all_zones(int fd)
{
	struct blk_zone_range range = { 0 };
	uint64_t size;

	if (ioctl(fd, BLKGETSIZE64, &size) < 0)
		return -errno;
	range.nr_sectors = size >> RD_SECTOR_SHIFT;
	if (ioctl(fd, BLKRESETZONE, &range) == 0)
		return 0;
	return errno == ENOTTY ? -EOPNOTSUPP : -errno;	/* has no zones */
}

void rd_cmd_block_work(struct rd_req *req)
{
	int fd = req->file->fd;

	req->res = req->cmd.op == RINGD_BLOCK_OP_DISCARD ? discard(fd, &req->cmd) : reset_all_zones(fd);
}
