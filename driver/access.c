// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access: which caller may use a buffer, give it an owner, or program devices.
 *
 * Two things give access to a buffer. The permission bits of a persistent buffer apply
 * to its owner, its group and others, as those of a file do. Control, which includes the
 * right to free and to revoke, belongs to the open file that allocated an anonymous
 * buffer, to the owner of a persistent one, and to an administrator (CAP_SYS_ADMIN).
 *
 * limit.c and limit_sysfs.c check who may exceed and change limits. query.c, pages.c,
 * netlink.c and event.c check what else an administrator may see.
 */
#include <linux/capability.h>
#include <linux/cred.h>

#include "ccshm.h"

static unsigned int mode_bits(struct ccshm_buffer *buffer)
{
	if (uid_eq(current_euid(), buffer->uid))
		return buffer->mode >> 6 & 7;
	if (in_egroup_p(buffer->gid))
		return buffer->mode >> 3 & 7;
	return buffer->mode & 7;
}

/* Return the permission bits that apply to the caller. */
static unsigned int caller_bits(struct ccshm_buffer *buffer)
{
	return buffer->flags & CCSHM_ALLOC_PERSISTENT ? mode_bits(buffer) : 0;
}

/*
 * Check whether the caller has control without a capability. The user of the heap node
 * has the dma-buf only, and no control of the buffer.
 */
static bool has_own_control(struct ccshm_buffer *buffer, struct ccshm_client *client)
{
	struct ccshm_client *owner = READ_ONCE(buffer->client);

	return !buffer->heap &&
	       (owner ? owner == client : uid_eq(current_euid(), buffer->uid));
}

/**
 * ccshm_buffer_control - check whether the caller has control of a buffer
 * @buffer: buffer to be controlled
 * @client: open file that the caller came through, or NULL
 */
bool ccshm_buffer_control(struct ccshm_buffer *buffer,
			  struct ccshm_client *client)
{
	return has_own_control(buffer, client) || capable(CAP_SYS_ADMIN);
}

/* Check whether a caller that has no control may see the buffer. */
static bool is_visible(struct ccshm_buffer *buffer)
{
	return caller_bits(buffer) & 6 ||
	       (buffer->heap && uid_eq(current_euid(), buffer->uid));
}

/**
 * ccshm_object_describe_seen - describe an object if the caller may see its buffer
 * @object: object to describe
 * @client: open file that the caller came through, or NULL
 * @admin: the caller has CAP_SYS_ADMIN; a check for each buffer would write too many
 *	records to the audit log
 * @always: describe it also if the caller may not see it
 * @q: out: description, with CCSHM_QUERY_CONTROL if the caller has control
 *
 * Checks and describes in one step, under the lock under which SET changes both.
 *
 * Return: whether ccshm_buffer_may() with CCSHM_SEE would succeed.
 */
bool ccshm_object_describe_seen(struct ccshm_object *object,
				struct ccshm_client *client, bool admin,
				bool always, struct ccshm_ioc_query *q)
{
	bool control, seen;

	mutex_lock(&ccshm_lock);
	control = admin || has_own_control(object->buffer, client);
	seen = control || is_visible(object->buffer);
	if (seen || always)
		ccshm_object_describe(object, current_user_ns(), q);
	mutex_unlock(&ccshm_lock);
	if (control)
		q->query_flags |= CCSHM_QUERY_CONTROL;
	return seen;
}

/**
 * ccshm_buffer_may - check what the caller may do with a buffer
 * @buffer: buffer to be used
 * @client: open file that the caller came through, or NULL
 * @want: what the caller is going to do
 *
 * Return: 0; -ENOENT when the caller may not even see the buffer; -EACCES for a missing
 * permission bit, -EPERM for missing control.
 */
int ccshm_buffer_may(struct ccshm_buffer *buffer, struct ccshm_client *client,
		     enum ccshm_want want)
{
	bool private = !(buffer->flags & CCSHM_ALLOC_PERSISTENT);
	unsigned int bits = caller_bits(buffer);
	bool visible = is_visible(buffer);

	/* Check for a capability last: capable() writes to the audit log. */
	if (want == CCSHM_READ && bits & 6)
		return 0;
	if (want == CCSHM_WRITE && bits & 2)
		return 0;
	if (want == CCSHM_SEE && visible)
		return 0;
	if (ccshm_buffer_control(buffer, client)) {
		bool own = !private && uid_eq(current_euid(), buffer->uid);

		/* The owner's bits restrict the owner, as those of a file do. */
		if (want == CCSHM_SEE || want == CCSHM_CONTROL || !own ||
		    capable(CAP_SYS_ADMIN))
			return 0;
		return -EACCES;
	}
	if (visible)
		return want == CCSHM_CONTROL ? -EPERM : -EACCES;
	return -ENOENT;
}

/**
 * ccshm_owner_may - check whether the caller may assign an owner and a group
 * @old_uid: present owner; the caller's effective uid for a new buffer
 * @old_gid: present group; the caller's effective gid for a new buffer
 * @uid: owner to be assigned
 * @gid: group to be assigned
 *
 * Another owner, or a new group that is none of the caller's, needs CAP_CHOWN.
 *
 * Return: 0; -EINVAL when an id is not valid; -EPERM.
 */
int ccshm_owner_may(kuid_t old_uid, kgid_t old_gid, kuid_t uid, kgid_t gid)
{
	if (!uid_valid(uid) || !gid_valid(gid))
		return -EINVAL;
	if (uid_eq(uid, old_uid) && (gid_eq(gid, old_gid) || in_egroup_p(gid)))
		return 0;
	return capable(CAP_CHOWN) ? 0 : -EPERM;
}

/*
 * Check whether the caller may program devices: a device that user space programs can
 * access all memory that no IOMMU protects.
 */
bool ccshm_may_program_devices(void)
{
	return capable(CAP_SYS_RAWIO);
}

/* Refuse a new export or attachment of a sealed buffer to a caller without control. */
static int check_seal(struct ccshm_buffer *buffer, struct ccshm_client *client)
{
	lockdep_assert_held(&ccshm_lock);
	if (buffer->sealed && !ccshm_buffer_control(buffer, client))
		return -EPERM;
	return 0;
}

static int may_share(struct ccshm_buffer *buffer, struct ccshm_client *client,
		     enum ccshm_want want)
{
	return ccshm_buffer_may(buffer, client, want) ?: check_seal(buffer, client);
}

/**
 * ccshm_export_may - check whether the caller may make an export
 * @export: export to be listed
 * @client: open file that the caller came through, or NULL
 *
 * Called when the export is listed, under the lock under which SET and REVOKE change
 * what is allowed.
 *
 * Return: what ccshm_buffer_may() returns; -EPERM also without control of the buffer
 * when the buffer is sealed, or the export is pinned and the buffer does not allow
 * others to pin.
 */
int ccshm_export_may(struct ccshm_export *export, struct ccshm_client *client)
{
	struct ccshm_buffer *buffer = export->obj.buffer;

	lockdep_assert_held(&ccshm_lock);
	if (export->heap)
		return 0;
	if (export->flags & CCSHM_EXPORT_PINNED &&
	    !(buffer->flags & CCSHM_ALLOC_OTHERS_PIN) &&
	    !ccshm_buffer_control(buffer, client))
		return -EPERM;
	return may_share(buffer, client,
			 export->flags & CCSHM_EXPORT_READ_ONLY ? CCSHM_READ :
								  CCSHM_WRITE);
}

/**
 * ccshm_attachment_may - check whether the caller may make an attachment
 * @att: attachment to be listed
 * @client: open file that the caller came through, or NULL
 *
 * Called as ccshm_export_may() is. A caller that attaches to an export has the
 * descriptor of its dma-buf, and needs no permission of the buffer. A persistent
 * attachment needs control: the end of the caller does not end it, and the memory stays
 * charged to the owner.
 *
 * Return: 0; -ENOENT when the buffer has ended, or what ccshm_buffer_may() returns;
 * -EPERM also when the buffer is sealed, or the attachment is persistent, and the caller
 * has no control of the buffer.
 */
int ccshm_attachment_may(struct ccshm_attachment *att, struct ccshm_client *client)
{
	struct ccshm_buffer *buffer = att->obj.buffer;
	int err = 0;

	lockdep_assert_held(&ccshm_lock);
	if (!att->export && !buffer->live)
		return -ENOENT;
	if (!att->export)
		err = ccshm_buffer_may(buffer, client, CCSHM_WRITE);
	if (!err && att->flags & CCSHM_ATTACH_PERSISTENT &&
	    !ccshm_buffer_control(buffer, client))
		err = -EPERM;
	return err ?: check_seal(buffer, client);
}

/**
 * ccshm_revoke_enter - note what a revoke covers, and seal the buffer
 * @tally: sums of the revoke, with @object filled in
 * @client: open file that the caller came through, or NULL
 * @seal: allow new exports and attachments to callers with control only. What others
 *	have listed before is covered.
 *
 * SET may have taken control from the caller since it found the object. After a SET that
 * comes later, the new owner's exports are not covered.
 *
 * Return: 0, and the caller ends the tally; or -EPERM.
 */
int ccshm_revoke_enter(struct ccshm_tally *tally, struct ccshm_client *client, bool seal)
{
	struct ccshm_buffer *buffer = tally->object->buffer;
	int err = 0;

	mutex_lock(&ccshm_lock);
	if (!ccshm_buffer_control(buffer, client)) {
		err = -EPERM;
	} else {
		if (seal) {
			buffer->sealed = true;
			ccshm_changed();
		}
		ccshm_tally_begin(tally);
	}
	mutex_unlock(&ccshm_lock);
	return err;
}

/**
 * ccshm_object_find - find an object that the caller may use
 * @id: id of the object
 * @client: open file that the caller came through, or NULL
 * @want: what the caller is going to do with the object's buffer
 *
 * This function checks permission, so it is in access.c, above object.c.
 *
 * Return: the object with a reference; -ENOENT when there is none, or what
 * ccshm_buffer_may() returns.
 */
struct ccshm_object *ccshm_object_find(u64 id, struct ccshm_client *client,
				       enum ccshm_want want)
{
	struct ccshm_object *object = ccshm_object_get(id);
	int err;

	if (!object)
		return ERR_PTR(-ENOENT);
	/* The lock under which SET changes owner, group and mode together. */
	mutex_lock(&ccshm_lock);
	err = ccshm_buffer_may(object->buffer, client, want);
	mutex_unlock(&ccshm_lock);
	if (!err)
		return object;
	ccshm_object_put(object);
	return ERR_PTR(err);
}

/**
 * ccshm_buffer_find - find a buffer that the caller may use
 * @id: id of the buffer
 * @client: open file that the caller came through, or NULL
 * @want: what the caller is going to do with the buffer
 *
 * Return: the buffer with a reference; -ENOENT when there is none, it has ended or
 * the object is of another type, or what ccshm_buffer_may() returns.
 */
struct ccshm_buffer *ccshm_buffer_find(u64 id, struct ccshm_client *client,
				       enum ccshm_want want)
{
	struct ccshm_object *object = ccshm_object_find(id, client, want);

	if (IS_ERR(object))
		return ERR_CAST(object);
	if (object->type == CCSHM_TYPE_BUFFER)
		return object->buffer;
	ccshm_object_put(object);
	return ERR_PTR(-ENOENT);
}
