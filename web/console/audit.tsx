import type { AuditEvent, Query } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { country, device } from '../format.ts'
import { TextField } from '../parts/fields.tsx'
import { Show, useLoaded } from '../parts/load.tsx'
import { texts } from '../texts/language.ts'
import { Link } from './link.tsx'
import { Pager, usePages } from './pager.tsx'
import { type Route, go } from './route.ts'
import { Select } from './select.tsx'
import { Table } from './table.tsx'
import { words } from './texts/words.ts'
import { Time } from './users.tsx'

export function Audit({ route }: { route: Route }) {
  const { type = '', user_id: userId = '' } = route
  const types = Object.fromEntries(Object.keys(texts.activity.types).map((name) => [name, name]))
  return (
    <>
      <div class="filters">
        <Select label={words.type} value={type} options={types} onChange={(value) => go({ ...route, type: value })} />
        <TextField
          key={userId}
          label={words.userId}
          name="user_id"
          autoComplete="off"
          defaultValue={userId}
          onChange={({ currentTarget }) => go({ ...route, user_id: currentTarget.value.trim() })}
        />
      </div>
      <Events type={type} userId={userId} />
    </>
  )
}

interface EventsProps {
  type?: string
  userId: string
  /** A new number fetches again. */
  round?: number
}

export function Events({ type = '', userId, round = 0 }: EventsProps) {
  const pages = usePages(`${type} ${userId}`)
  const query = { type, user_id: userId, cursor: pages.cursor, limit: 25 } as Query<'listAuditEvents'>
  const loaded = useLoaded(JSON.stringify([query, round]), (signal) => client.admin.auditEvents(query, { signal }))
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
