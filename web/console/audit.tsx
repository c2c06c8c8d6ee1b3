import type { AuditEvent, Query } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { country, device } from '../format.ts'
import { Show, useLoaded } from '../parts/load.tsx'
import { texts } from '../texts/language.ts'
import { Link } from '../parts/link.tsx'
import { UserIdFilter, filterBy, isUserId, useChoice } from './filters.tsx'
import { type ListName, Pager, usePages, useValidCursor } from './pager.tsx'
import type { Route } from '../parts/route.ts'
import { Select } from './select.tsx'
import { Table } from './table.tsx'
import { words } from './texts/words.ts'
import { Time } from './users.tsx'

export function Audit({ route }: { route: Route }) {
  const { user_id: userId = '' } = route
  const types = Object.fromEntries(Object.keys(texts.activity.types).map((name) => [name, name]))
  const type = useChoice(route, 'type', types)
  return (
    <>
      <div class="filters">
        <Select label={words.type} value={type} options={types} onChange={(value) => filterBy('type', value)} />
        <UserIdFilter value={userId} />
      </div>
      {(userId === '' || isUserId(userId)) && <Events route={route} type={type} userId={userId} />}
    </>
  )
}

interface EventsProps {
  route: Route
  list?: ListName
  type?: string
  userId: string
}

export function Events({ route, list, type = '', userId }: EventsProps) {
  const pages = usePages(route, list)
  const query = { type, user_id: userId.toLowerCase(), cursor: pages.cursor, limit: 25 } as Query<'listAuditEvents'>
  const loaded = useLoaded(JSON.stringify(query), (signal) => client.admin.auditEvents(query, { signal }))
  useValidCursor(pages, loaded.error)
  return (
    <Show loaded={loaded}>
      {({ events, next_cursor: next }) => (
        <>
          <Table caption={words.audit} columns={columns()} rows={events} empty={words.nothing} />
          <Pager pages={pages} next={next} />
        </>
      )}
    </Show>
  )
}

const columns = () => [
  { title: words.when, cell: ({ at }: AuditEvent) => <Time at={at} /> },
  { title: words.what, cell: ({ type }: AuditEvent) => <code>{type}</code> },
  { title: words.who, cell: ({ actor_id: id }: AuditEvent) => <Person id={id} /> },
  { title: words.whom, cell: ({ user_id: id }: AuditEvent) => <Person id={id} /> },
  {
    title: words.from,
    cell: ({ ip, country: code, user_agent: agent }: AuditEvent) =>
      ip === null ? '–' : `${ip} · ${country(code)} · ${device(agent)}`,
  },
  {
    title: words.details,
    cell: ({ detail }: AuditEvent) =>
      detail === null
        ? '–'
        : Object.entries(detail)
            .map(([name, value]) => `${name}: ${value}`)
            .join(', '),
  },
]

function Person({ id }: { id: string | null }) {
  return id === null ? <span class="soft">{words.nobodyKnown}</span> : <Link to={{ user: id }}>{id.slice(-12)}</Link>
}
