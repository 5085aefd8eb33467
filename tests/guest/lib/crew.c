// SPDX-License-Identifier: GPL-2.0-only
#include "crew.h"

void crew_start(struct crew *crew, unsigned int member)
{
	pid_t pid = crew->start(member, crew->incarnation[member]++);

	crew->pid[member] = pid > 0 ? pid : 0;
}

int crew_kill(struct crew *crew, unsigned int member, int ms)
{
	pid_t pid = crew->pid[member];
	int status;

	if (!pid)
		return -ESRCH;
	kill(pid, SIGKILL);
	status = reap(pid, ms);
	crew->pid[member] = 0;
	if (status < 0)
		return -ETIME;
	crew->ended(member, status);
	return 0;
}

void crew_collect(struct crew *crew)
{
	int status;

	for (unsigned int i = 0; i < crew->nr; i++) {
		if (!crew->pid[i] || waitpid(crew->pid[i], &status, WNOHANG) != crew->pid[i])
			continue;
		crew->pid[i] = 0;
		crew->ended(i, status);
	}
}

bool crew_runs(const struct crew *crew)
{
	for (unsigned int i = 0; i < crew->nr; i++)
		if (crew->pid[i])
			return true;
	return false;
}

bool crew_is_parked(const struct crew *crew)
{
	for (unsigned int i = 0; i < crew->nr; i++)
		if (crew->pid[i] && !crew->is_parked(i))
			return false;
	return true;
}
