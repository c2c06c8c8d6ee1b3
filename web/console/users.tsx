import { useEffect, useRef, useState } from 'preact/hooks'
import type { AdministeredUser, Query } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { ago, moment } from '../format.ts'
import { TextField } from '../parts/fields.tsx'
import { Show, useLoaded } from '../parts/load.tsx'
import { Link } from '../parts/link.tsx'
import { filterBy, useChoice } from './filters.tsx'
import { Pager, usePages, useValidCursor } from './pager.tsx'
import type { Route } from '../parts/route.ts'
import { rememberList } from './seen-list.ts'
import { Select } from './select.tsx'
import { Table } from './table.tsx'
import { words } from './texts/words.ts'

/** How long to wait after a key before asking the service. */
const pauseMs = 150

export function Users({ route }: { route: Route }) {
  const { email = '' } = route
  const role = useChoice(route, 'role', words.roles)
  const status = useChoice(route, 'status', words.statuses)
  const pages = usePages(route)
  const query = { email, role, status, cursor: pages.cursor, limit: 25 } as Query<'listUsers'>
  const loaded = useLoaded(JSON.stringify(query), (signal) => client.admin.users(query, { signal }))
  useValidCursor(pages, loaded.error)
  useEffect(() => rememberList(route), [route])
  return (
    <>
      <div class="filters">
        <Search value={email} onSearch={(text) => filterBy('email', text, true)} />
        <Select label={words.role} value={role} options={words.roles} onChange={(value) => filterBy('role', value)} />
        <Select
          label={words.status}
          value={status}
          options={words.statuses}
          onChange={(value) => filterBy('status', value)}
        />
      </div>
      <Show loaded={loaded}>
        {({ users, next_cursor: next }) => (
          <>
            <Table caption={words.users} columns={columns()} rows={users} empty={words.nobody} />
            <Pager pages={pages} next={next} />
          </>
        )}
      </Show>
    </>
  )
}

function Search({ value, onSearch }: { value: string; onSearch: (text: string) => void }) {
  const [typed, setTyped] = useState(value)
  /** What was searched for last. The back button changes the address, and then the field follows. */
  const searched = useRef(value)
  useEffect(() => {
    if (value !== searched.current) setTyped(value)
    searched.current = value
  }, [value])
  useEffect(() => {
    const text = typed.trim()
    if (text === searched.current) return undefined
    const timer = setTimeout(() => {
      searched.current = text
      onSearch(text)
    }, pauseMs)
    return () => clearTimeout(timer)
  }, [typed])
  return (
    <TextField
      label={words.search}
      hint={words.searchHint}
      name="search"
      type="search"
      autoComplete="off"
      autoCapitalize="none"
      spellcheck={false}
      maxLength={254}
      value={typed}
      onInput={({ currentTarget }) => setTyped(currentTarget.value)}
    />
  )
}

const columns = () => [
  {
    title: words.email,
    cell: ({ id, email }: AdministeredUser) => (
      <Link to={{ user: id }} class="long">
        {email}
      </Link>
    ),
  },
  { title: words.role, cell: ({ role }: AdministeredUser) => words.roles[role] },
  {
    title: words.status,
    cell: ({ status }: AdministeredUser) => <span class={`badge ${status}`}>{words.statuses[status]}</span>,
  },
  { title: words.created, cell: ({ created_at: at }: AdministeredUser) => <Time at={at} /> },
  {
    title: words.lastLogin,
    cell: ({ last_login_at: at }: AdministeredUser) => (at === null ? words.never : <Time at={at} />),
  },
]

export function Time({ at }: { at: string }) {
  return (
    <time dateTime={at} title={moment(at)}>
      {ago(at)}
    </time>
  )
}
