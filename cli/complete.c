// SPDX-License-Identifier: GPL-2.0-only
/*
 * Completion, for the scripts in packaging/common/completion. `ccshmctl --complete WORD...' prints
 * the candidates for the last word after the other words. Commands and options come from the table,
 * names from the driver.
 *
 * The output has a line for each candidate, "WORD" or "WORD<tab>DESCRIPTION", or an instruction to
 * the shell:
 *   :command N   from the Nth WORD on (the first is 1) the words are another command line
 *   :files       offer file names also
 *   :nospace     a candidate may be continued: do not add a space
 */
#include <ctype.h>
#include <dirent.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ccshmctl.h"
#include "doctor/doctor.h"

#define GIVEN_MAX	64

struct line {
	const struct command *cmd;
	/* The words before the last one. */
	const struct argp_option *given[GIVEN_MAX];
	int ngiven;
	int nargs;
	bool only_args;				/* after "--" */
	const struct argp_option *option;	/* the option whose value is the last word, or NULL */
	/* The last word: the part that does not change, and the beginning of a candidate. */
	const char *word;
	const char *typed;
};

static void offer(const struct line *line, const char *candidate, const char *description)
{
	char *word, *shown;

	if (strncmp(candidate, line->typed, strlen(line->typed)))
		return;
	if (asprintf(&word, "%.*s%s", (int)(line->typed - line->word), line->word, candidate) < 0)
		word = NULL;
	word = or_die(word);
	shown = text_shown(word);
	/* The shell would insert a text with replaced characters as another word. */
	if (!strcmp(word, shown)) {
		fputs(word, stdout);
		free(shown);
		shown = text_shown(description ? description : "");
		if (*shown)
			printf("\t%s", shown);
		putchar('\n');
	}
	free(shown);
	free(word);
}

static bool is_given(const struct line *line, const char *name)
{
	int i;

	for (i = 0; i < line->ngiven; i++)
		if (!strcmp(line->given[i]->name, name))
			return true;
	return false;
}

/* ---- values, by the placeholders of synopses ---- */

static void offer_id(const struct line *line, const struct ccshm_status *st,
		     const char *description)
{
	char id[32];

	snprintf(id, sizeof(id), "%s%" PRIu64, *line->typed == '@' ? "@" : "",
		 ccshm_status_id(st));
	offer(line, id, description);
}

/* Offer the name of a buffer if it has one, unless the user types an id. */
static void offer_buffer(const struct line *line, const struct ccshm_status *st)
{
	const char *owner = user_name(ccshm_status_owner(st));
	const char *name = ccshm_status_name(st);
	char size[SIZE_TEXT_LEN], *text, description[128];

	/* Its id and name are no longer valid. */
	if (ccshm_status_is_orphan(st))
		return;
	size_format(ccshm_status_size(st), size);
	snprintf(description, sizeof(description), "%s, of %s", size, owner);
	if (!*name || *line->typed == '@' || isdigit((unsigned char)*line->typed))
		offer_id(line, st, description);
	if (!*name)
		return;
	if (ccshm_status_owner(st) == geteuid()) {
		offer(line, name, description);
		return;
	}
	if (asprintf(&text, "%s/%s", owner, name) < 0)
		text = NULL;
	offer(line, or_die(text), description);
	free(text);
}

static void offer_export(const struct line *line, const struct ccshm_status *st)
{
	char description[CCSHM_NAME_LEN + 64];
	const char *name = ccshm_status_name(st);

	snprintf(description, sizeof(description), "export of %s",
		 *name ? name : "a buffer without a name");
	offer_id(line, st, description);
}

static void offer_attachment(const struct line *line, const struct ccshm_status *st)
{
	char description[DEVICE_TEXT_LEN + 64];

	snprintf(description, sizeof(description), "attachment to %s",
		 ccshm_status_device(st));
	offer_id(line, st, description);
}

static void offer_objects_of(const struct line *line, uint32_t type,
			     void (*offer_one)(const struct line *line,
					       const struct ccshm_status *st))
{
	struct ccshm_list *list;
	uint32_t i;

	if (ccshm_list_get(type, &list))
		return;
	for (i = 0; i < ccshm_list_count(list); i++)
		offer_one(line, ccshm_list_status(list, i));
	ccshm_list_free(list);
}

static void offer_buffers(const struct line *line)
{
	offer_objects_of(line, CCSHM_TYPE_BUFFER, offer_buffer);
}

static void offer_attachments(const struct line *line)
{
	offer_objects_of(line, CCSHM_TYPE_ATTACHMENT, offer_attachment);
}

static void offer_objects(const struct line *line)
{
	offer_buffers(line);
	offer_objects_of(line, CCSHM_TYPE_EXPORT, offer_export);
	offer_attachments(line);
}

struct devices {
	const struct line *line;
	struct ccshm *ctx;
};

/* Offer the name with its bus, or without it if the user began without it. */
static int offer_device(const char *name, void *data)
{
	struct devices *devices = data;
	const struct line *line = devices->line;
	struct ccshm_device *device;

	/* Programs can drive PCI devices only. */
	if (line->cmd->flags & CMD_RUNS && strncmp(name, "pci:", 4))
		return EXIT_OK;
	if (ccshm_device_get(devices->ctx, name, &device))
		return EXIT_OK;
	if (device_is_listed(name, device)) {
		offer(line, name, ccshm_device_driver(device));
		if (*line->typed)
			offer(line, strchr(name, ':') + 1, ccshm_device_driver(device));
	}
	ccshm_device_free(device);
	return EXIT_OK;
}

static void offer_devices(const struct line *line)
{
	struct devices devices = { .line = line };

	if (ccshm_open(CCSHM_READ_ONLY, &devices.ctx))
		return;
	device_for_each(offer_device, &devices);
	ccshm_close(devices.ctx);
}

static void offer_checks(const struct line *line)
{
	const char *name, *what;
	unsigned int i;

	for (i = 0; (name = doctor_check_name(i, &what)); i++)
		offer(line, name, what);
}

/* Check whether a list with commas that ends at @end contains the name. */
static bool is_in(const char *list, const char *end, const char *name, size_t len)
{
	for (; list < end; list += strcspn(list, ",") + 1)
		if (!strncmp(list, name, len) && list[len] == ',')
			return true;
	return false;
}

/* Offer columns for the last element of a list; no column twice. */
static void offer_columns(const struct line *line)
{
	const char *comma = strrchr(line->typed, ',');
	struct line last = *line;
	char *all, *name, text[64];
	size_t len;

	if (comma)
		last.typed = comma + 1;
	all = line->cmd->columns(is_given(line, "exports") ? CCSHM_TYPE_EXPORT :
				 is_given(line, "attachments") ? CCSHM_TYPE_ATTACHMENT :
				 CCSHM_TYPE_BUFFER);
	for (name = all; name && *name; name += len + (name[len] == ',')) {
		len = strcspn(name, ",");
		if (is_in(all, name, name, len) || is_in(line->typed, last.typed, name, len))
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)len, name);
		offer(&last, text, NULL);
	}
	free(all);
	puts(":nospace");
}

static void offer_users(const struct line *line)
{
	struct passwd *pw;

	setpwent();
	while ((pw = getpwent()))
		offer(line, pw->pw_name, NULL);
	endpwent();
}

static void offer_groups(const struct line *line)
{
	struct group *gr;

	setgrent();
	while ((gr = getgrent()))
		offer(line, gr->gr_name, NULL);
	endgrent();
}

static void offer_nodes(const struct line *line)
{
	char path[SYSTEM_PATH_LEN];
	struct dirent *entry;
	DIR *dir;

	system_path(path, "/sys/devices/system/node");
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "node", 4) && isdigit((unsigned char)entry->d_name[4]))
			offer(line, entry->d_name + 4, NULL);
	if (dir)
		closedir(dir);
}

static void offer_modes(const struct line *line)
{
	offer(line, "0600", "for the owner");
	offer(line, "0640", "the group may read");
	offer(line, "0660", "the group may write");
}

static void offer_seconds(const struct line *line)
{
	offer(line, "0", "do not wait");
	offer(line, "forever", NULL);
}

static void offer_files(const struct line *line)
{
	(void)line;
	puts(":files");
}

static const struct value {
	const char *what;
	void (*offer)(const struct line *line);	/* NULL: free text */
} values[] = {
	{ "BITS", NULL },
	{ "BUFFER", offer_buffers },
	{ "BUFFER|ID", offer_objects },
	{ "CHECK", offer_checks },
	{ "COLUMNS", offer_columns },
	{ "DEVICE", offer_devices },
	{ "FILE", offer_files },
	{ "GROUP", offer_groups },
	{ "ID", offer_attachments },
	{ "MODE", offer_modes },
	{ "N", NULL },
	{ "NAME", NULL },
	{ "NODE", offer_nodes },
	{ "SECONDS", offer_seconds },
	{ "SIZE", NULL },
	{ "USER", offer_users },
};

static const struct value *find_value(const char *what, size_t len)
{
	const struct value *value;

	for (value = values; value < values + sizeof(values) / sizeof(values[0]); value++)
		if (!strncmp(value->what, what, len) && !value->what[len])
			return value;
	return NULL;
}

bool complete_knows(const char *what)
{
	return find_value(what, strlen(what));
}

static void offer_value(const struct line *line, const char *what, size_t len)
{
	const struct value *value = find_value(what, len);

	if (value && value->offer)
		value->offer(line);
}

/* ---- the line ---- */

/* Find an option; like argp, accept an unambiguous prefix. */
static const struct argp_option *find_long(const struct command *cmd, const char *name,
					   size_t len)
{
	const struct argp_option *opt;
	int i;

	for (i = 0; (opt = command_options(cmd, i)); i++)
		for (; opt->name; opt++)
			if (!strncmp(opt->name, name, len))
				return opt;
	return NULL;
}

static const struct argp_option *find_short(const struct command *cmd, char key)
{
	const struct argp_option *opt;
	int i;

	for (i = 0; (opt = command_options(cmd, i)); i++)
		for (; opt->name; opt++)
			if (opt->key == key)
				return opt;
	return NULL;
}

static void add_given(struct line *line, const struct argp_option *opt)
{
	if (opt && line->ngiven < GIVEN_MAX)
		line->given[line->ngiven++] = opt;
}

static void parse_long_option(struct line *line, const char *name)
{
	size_t len = strcspn(name, "=");
	const struct argp_option *opt = find_long(line->cmd, name, len);

	add_given(line, opt);
	/* An optional value is never a separate word. */
	if (opt && opt->arg && !(opt->flags & OPTION_ARG_OPTIONAL) && !name[len])
		line->option = opt;
}

/* "-jo COLUMNS", "-joCOLUMNS" */
static void parse_short_options(struct line *line, const char *keys)
{
	const struct argp_option *opt;

	for (; *keys; keys++) {
		opt = find_short(line->cmd, *keys);
		add_given(line, opt);
		if (!opt || !opt->arg)
			continue;
		if (!keys[1] && !(opt->flags & OPTION_ARG_OPTIONAL))
			line->option = opt;
		return;
	}
}

static void parse_word(struct line *line, const char *word)
{
	if (line->option)
		line->option = NULL;
	else if (line->only_args || word[0] != '-' || !word[1])
		line->nargs++;
	else if (!strcmp(word, "--"))
		line->only_args = true;
	else if (word[1] == '-')
		parse_long_option(line, word + 2);
	else
		parse_short_options(line, word + 1);
}

static void offer_option(const struct line *line, const struct argp_option *opt)
{
	char text[64];

	if (opt->flags & OPTION_HIDDEN || is_given(line, opt->name))
		return;
	snprintf(text, sizeof(text), "--%s", opt->name);
	offer(line, text, opt->doc);
	/* Do not offer short options, but accept the one that was typed. */
	if (*line->word && line->word[1] && opt->key == line->word[1] && !line->word[2])
		offer(line, line->word, opt->doc);
}

static void offer_options(const struct line *line)
{
	const struct argp_option *opt;
	int i;

	for (i = 0; (opt = command_options(line->cmd, i)); i++)
		for (; opt->name; opt++)
			offer_option(line, opt);
}

/* Offer the next argument of "BUFFER DEVICE [-- COMMAND...]". */
static void offer_arg(const struct line *line)
{
	const char *what = line->cmd->args;
	bool many = line->cmd->flags & CMD_MANY;
	int n;

	if (many || line->nargs < line->cmd->max_args) {
		for (n = many ? 0 : line->nargs; n > 0 && strchr(what, ' '); n--)
			what = strchr(what, ' ') + 1;
		what += *what == '[';
		offer_value(line, what, strcspn(what, " ]."));
		return;
	}
	if (line->cmd->flags & CMD_RUNS)
		offer(line, "--", "a command, and its arguments");
	if (!line->only_args && !(line->cmd->flags & CMD_RUNS && !*line->typed))
		offer_options(line);
}

static void complete_word(struct line *line)
{
	size_t len = strcspn(line->word, "=");

	if (!line->option && !line->only_args && !strncmp(line->word, "--", 2) &&
	    line->word[len]) {
		line->option = find_long(line->cmd, line->word + 2, len - 2);
		line->typed = line->word + len + 1;
		if (!line->option)
			return;
	}
	if (line->option)
		offer_value(line, line->option->arg ? line->option->arg : "",
			    line->option->arg ? strlen(line->option->arg) : 0);
	else if (*line->word == '-' && !line->only_args)
		offer_options(line);
	else
		offer_arg(line);
	if (!strcmp(line->word, "--") && line->cmd->flags & CMD_RUNS && !line->option)
		offer(line, "--", "a command, and its arguments");
}

/* ---- ccshmctl itself ---- */

static void offer_commands(const struct line *line)
{
	const struct command *cmd;

	for (cmd = commands; cmd->name; cmd++)
		offer(line, cmd->name, cmd->summary);
}

static void complete_first(const struct line *line, const struct argp_option *options)
{
	const struct argp_option *opt;
	char text[64];
	int i;

	if (*line->word != '-') {
		offer_commands(line);
		offer(line, "help", "show the help of a command");
		return;
	}
	for (i = 0; i < 2; i++) {
		for (opt = i ? argp_own_options : options; opt->name; opt++) {
			snprintf(text, sizeof(text), "--%s", opt->name);
			if (!(opt->flags & OPTION_HIDDEN))
				offer(line, text, opt->doc);
		}
	}
}

int complete(const struct argp_option *options, int nwords, char **words)
{
	struct line line = { .word = nwords ? words[nwords - 1] : "" };
	int i;

	line.typed = line.word;
	if (nwords < 2) {
		complete_first(&line, options);
		return EXIT_OK;
	}
	if (!strcmp(words[0], "help")) {
		if (nwords == 2)
			offer_commands(&line);
		return EXIT_OK;
	}
	line.cmd = command_find(words[0]);
	if (!line.cmd)
		return EXIT_OK;
	for (i = 1; i < nwords - 1; i++) {
		/* Like parse(), split at the first "--". */
		if (line.cmd->flags & CMD_RUNS && !strcmp(words[i], "--")) {
			printf(":command %d\n", i + 2);
			return EXIT_OK;
		}
		parse_word(&line, words[i]);
	}
	complete_word(&line);
	return EXIT_OK;
}
