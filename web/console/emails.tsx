import type { OutboxEmail, Query } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { Show, useLoaded } from '../parts/load.tsx'
import { Link } from '../parts/link.tsx'
import { UserIdFilter, filterBy, isUserId, useChoice } from './filters.tsx'
import { type ListName, Pager, usePages, useValidCursor } from './pager.tsx'
import type { Route } from '../parts/route.ts'
import { Select } from './select.tsx'
import { Table } from './table.tsx'
import { words } from './texts/words.ts'
import { Time } from './users.tsx'

export function Emails({ route }: { route: Route }) {
  const { user_id: userId = '' } = route
  const status = useChoice(route, 'status', words.mailStatuses)
  return (
    <>
      <div class="filters">
        <Select
          label={words.status}
          value={status}
          options={words.mailStatuses}
          onChange={(value) => filterBy('status', value)}
        />
        <UserIdFilter value={userId} />
      </div>
      {(userId === '' || isUserId(userId)) && <Outbox route={route} status={status} userId={userId} />}
    </>
  )
}

interface OutboxProps {
  route: Route
  list?: ListName
  status?: string
  userId: string
}

export function Outbox({ route, list, status = '', userId }: OutboxProps) {
  const pages = usePages(route, list)
  const query = { status, user_id: userId.toLowerCase(), cursor: pages.cursor, limit: 25 } as Query<'listEmails'>
  const loaded = useLoaded(JSON.stringify(query), (signal) => client.admin.emails(query, { signal }))
  useValidCursor(pages, loaded.error)
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
      id === null ? (
        <span class="long">{recipient ?? '–'}</span>
      ) : (
        <Link to={{ user: id }} class="long">
          {recipient ?? words.deletedAccount}
        </Link>
      ),
  },
  { title: words.status, cell: ({ status }: OutboxEmail) => words.mailStatuses[status] },
  { title: words.fate, cell: ({ fate }: OutboxEmail) => (fate === null ? '–' : words.fates[fate]) },
  { title: words.attempts, cell: ({ attempts }: OutboxEmail) => attempts },
  {
    title: words.error,
    cell: ({ last_error: error }: OutboxEmail) => (error === null ? '–' : <span class="long">{error}</span>),
  },
]
