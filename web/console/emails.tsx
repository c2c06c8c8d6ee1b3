import type { OutboxEmail, Query } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { Show, useLoaded } from '../parts/load.tsx'
import { Link } from './link.tsx'
import { Pager, usePages } from './pager.tsx'
import { type Route, go } from './route.ts'
import { Select } from './select.tsx'
import { Table } from './table.tsx'
import { words } from './texts/words.ts'
import { Time } from './users.tsx'

export function Emails({ route }: { route: Route }) {
  const { status = '', user_id: userId = '' } = route
  return (
    <>
      <div class="filters">
        <Select
          label={words.status}
          value={status}
          options={words.mailStatuses}
          onChange={(value) => go({ ...route, status: value })}
        />
      </div>
      <Outbox status={status} userId={userId} />
    </>
  )
}

interface OutboxProps {
  status?: string
  userId: string
  /** A new number fetches again. */
  round?: number
}

export function Outbox({ status = '', userId, round = 0 }: OutboxProps) {
  const pages = usePages(`${status} ${userId}`)
  const query = { status, user_id: userId, cursor: pages.cursor, limit: 25 } as Query<'listEmails'>
  const loaded = useLoaded(JSON.stringify([query, round]), (signal) => client.admin.emails(query, { signal }))
  return (
    <Show loaded={loaded}>
      {({ emails, next_cursor: next }) => (
        <>
          <Table caption={words.emails} columns={columns()} rows={emails} empty={words.nothing} />
          <Pager pages={pages} next={next} />
        </>
      )}
    </Show>
  )
}

const columns = () => [
  { title: words.when, cell: ({ created_at: at }: OutboxEmail) => <Time at={at} /> },
  { title: words.template, cell: ({ template }: OutboxEmail) => words.templates[template] },
  {
    title: words.recipient,
    cell: ({ user_id: id, recipient }: OutboxEmail) =>
      id === null ? (recipient ?? '–') : <Link to={{ user: id }}>{recipient ?? '–'}</Link>,
  },
  { title: words.status, cell: ({ status }: OutboxEmail) => words.mailStatuses[status] },
  { title: words.fate, cell: ({ fate }: OutboxEmail) => (fate === null ? '–' : words.fates[fate]) },
  { title: words.attempts, cell: ({ attempts }: OutboxEmail) => attempts },
  { title: words.error, cell: ({ last_error: error }: OutboxEmail) => error ?? '–' },
]
