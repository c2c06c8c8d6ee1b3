import { retention } from '../config/policy.ts'
import type { Ctx } from '../context.ts'
import { uuidv7Floor } from '../crypto/random.ts'
import { describeError, log } from '../log.ts'
import { deleteCeilingsBefore } from '../store/ceilings.ts'
import { expiredAt } from '../store/expired.ts'
import { expireStaleUsers, staleUserStatements } from '../store/stale-users.ts'
import { stepStatements, sweepNext, walkedTable } from '../store/sweeps.ts'
import { deleteUserAgentsBefore } from '../store/user-agents.ts'

/** What a run may cost. */
export interface CleanupLimits {
  /** A long statement holds up every other: no step looks at more rows of its table. */
  rows: number
  /** D1 allows an invocation 1,000. */
  statements: number
}

const usualLimits: CleanupLimits = { rows: 1000, statements: 900 }

interface Sweep {
  table: string
  /** How many statements a step sends. */
  statements: number
  step: () => Promise<{ deleted: number; isAtEnd: boolean }>
}

/**
 * Deletes expired rows in small steps. The tables take turns, so none of them has to wait until another is clean. What
 * is left is for the next run. Each step is decided by conditions alone, so an interrupted run and two simultaneous
 * runs do no harm. A table that fails does not stop the others.
 *
 * @throws {AggregateError} after all tables, when one of them failed
 */
export async function cleanUp(ctx: Ctx, limits = usualLimits): Promise<void> {
  const waiting = sweepsOf(ctx, limits.rows)
  const deleted = new Map(waiting.map(({ table }) => [table, 0]))
  const failures: unknown[] = []
  let statementsLeft = limits.statements
  // The first table takes a step and goes to the end of the queue, unless it is clean.
  while (waiting[0] && waiting[0].statements <= statementsLeft) {
    const sweep = waiting.shift()!
    const { table } = sweep
    statementsLeft -= sweep.statements
    try {
      const step = await sweep.step()
      deleted.set(table, deleted.get(table)! + step.deleted)
      if (!step.isAtEnd) waiting.push(sweep)
    } catch (error) {
      log('error', 'cleanup.failed', { table, ...describeError(error) })
      failures.push(error)
      deleted.delete(table)
    }
  }
  const unfinished = new Set(waiting.map(({ table }) => table))
  for (const [table, rows] of deleted) log('info', 'cleanup', { table, deleted: rows, more: unfinished.has(table) })
  if (failures.length > 0) throw new AggregateError(failures, 'cleanup failed')
}

function sweepsOf(ctx: Ctx, rows: number): Sweep[] {
  const now = ctx.now()
  const before = (ms: number) => new Date(now.getTime() - ms)
  return [
    // With an archive, only the archive deletes events.
    ...expiredAt(now, ctx.auditArchive ? null : ctx.config.auditDays).map((walk) => ({
      table: walkedTable(walk),
      statements: stepStatements,
      step: () => sweepNext(ctx.db, walk, rows),
    })),
    {
      table: 'ceilings',
      statements: 1,
      step: async () => {
        const { meta } = await deleteCeilingsBefore(ctx.db, before(retention.ceilings), rows)
        return { deleted: meta.changes, isAtEnd: meta.changes < rows }
      },
    },
    {
      // A few thousand rows at most.
      table: 'user_agents',
      statements: 2,
      step: async () => {
        const deleted = await deleteUserAgentsBefore(ctx.db, before(retention.userAgents))
        return { deleted, isAtEnd: true }
      },
    },
    // Last, because it writes before it deletes: in a full database, the others have made room by then.
    {
      table: 'users',
      statements: staleUserStatements,
      step: () => expireStaleUsers(ctx.db, uuidv7Floor(before(retention.registrations)), now, rows),
    },
  ]
}
