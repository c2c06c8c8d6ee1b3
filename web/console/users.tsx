import { useEffect, useRef, useState } from 'preact/hooks'
import type { AdministeredUser, Query } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { ago, moment } from '../format.ts'
import { TextField } from '../parts/fields.tsx'
import { Show, useLoaded } from '../parts/load.tsx'
import { Link } from './link.tsx'
import { Pager, usePages } from './pager.tsx'
import { type Route, go } from './route.ts'
import { Select } from './select.tsx'
import { Table } from './table.tsx'
import { words } from './texts/words.ts'

/** How long to wait after a key before asking the service. */
const pauseMs = 150

export function Users({ route }: { route: Route }) {
  const { email = '', role = '', status = '' } = route
  const pages = usePages(`${email} ${role} ${status}`)
  const query = { email, role, status, cursor: pages.cursor, limit: 25 } as Query<'listUsers'>
  const loaded = useLoaded(JSON.stringify(query), (signal) => client.admin.users(query, { signal }))
  return (
    <>
      <div class="filters">
        <Search value={email} onSearch={(text) => go({ ...route, email: text }, true)} />
        <Select
          label={words.role}
          value={role}
          options={words.roles}
          onChange={(value) => go({ ...route, role: value })}
        />
        <Select
          label={words.status}
          value={status}
          options={words.statuses}
          onChange={(value) => go({ ...route, status: value })}
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
  const isFirst = useRef(true)
  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false
      return undefined
    }
    const timer = setTimeout(() => onSearch(typed.trim()), pauseMs)
    return () => clearTimeout(timer)
  }, [typed])
  return (
    <TextField
      label={words.search}
      name="search"
      type="search"
      autoComplete="off"
      autoCapitalize="none"
      spellcheck={false}
      defaultValue={value}
      onInput={({ currentTarget }) => setTyped(currentTarget.value)}
    />
  )
}

const columns = () => [
  {
    title: words.email,
    cell: ({ id, email }: AdministeredUser) => <Link to={{ user: id }}>{email}</Link>,
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
