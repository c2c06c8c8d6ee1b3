import type { Ctx } from '../context.ts'
import { log } from '../log.ts'
import { archiveNext, expireObjects } from '../services/audit/archive.ts'

/** 100,000 events: about two seconds of CPU, and five statements for each object. The next run continues. */
const maxObjects = 20

/**
 * Archives the events that are due, and deletes objects that have expired. The log line is a warning if the bucket has
 * objects that do not belong to the archive. Does nothing without a bucket.
 */
export async function archiveAudit(ctx: Ctx): Promise<void> {
  if (!ctx.auditArchive) return
  let events = 0
  let objects = 0
  const skipped = new Set<string>()
  for (; objects < maxObjects; objects++) {
    const archived = await archiveNext(ctx, ctx.auditArchive, skipped)
    if (archived === null) break
    events += archived
  }
  const expired = await expireObjects(ctx, ctx.auditArchive)
  log(skipped.size > 0 ? 'warn' : 'info', 'archive', {
    events,
    objects,
    expired,
    has_more: objects === maxObjects,
    skipped: skipped.size,
    first_skipped: [...skipped][0],
  })
}
