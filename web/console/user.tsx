import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { AdministeredUser } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { country, device, moment } from '../format.ts'
import { Show, useLoaded } from '../parts/load.tsx'
import { Acts } from './acts.tsx'
import { Events } from './audit.tsx'
import { Outbox } from './emails.tsx'
import { Link } from './link.tsx'
import type { May } from './may.ts'
import { Table } from './table.tsx'
import { words } from './texts/words.ts'
import { Time } from './users.tsx'

interface UserPageProps {
  id: string
  may: May
}

export function UserPage({ id, may }: UserPageProps) {
  /** Counts the actions, so that everything is fetched again after each. */
  const [round, setRound] = useState(0)
  const loaded = useLoaded(`${id} ${round}`, () => client.admin.user(id))
  return (
    <>
      <p>
        <Link to={{}}>{words.back}</Link>
      </p>
      <Show loaded={loaded}>
        {(user) => (
          <>
            <h2>{user.email}</h2>
            <Acts user={user} may={may} onDone={() => setRound(round + 1)} />
            <Facts user={user} />
            {may('users:revoke-sessions') && (
              <Section title={words.sessions}>
                <SessionList id={id} round={round} />
              </Section>
            )}
            {may('audit:read') && (
              <Section title={words.trail}>
                <Events userId={id} round={round} />
              </Section>
            )}
            {may('emails:read') && (
              <Section title={words.mails}>
                <Outbox userId={id} round={round} />
              </Section>
            )}
          </>
        )}
      </Show>
    </>
  )
}

function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  )
}

function Facts({ user }: { user: AdministeredUser }) {
  const name = [user.first_name, user.last_name].filter(Boolean).join(' ')
  const time = (at: string | null) => (at === null ? words.never : moment(at))
  const facts: [title: string, fact: ComponentChildren][] = [
    [words.role, words.roles[user.role]],
    [words.status, <span class={`badge ${user.status}`}>{words.statuses[user.status]}</span>],
    [words.deliverable, user.email_deliverable ? words.yes : words.no],
    [words.name, name || '–'],
    [words.bio, user.bio ?? '–'],
    [words.avatarUrl, user.avatar_url ?? '–'],
    [words.locale, user.locale ?? '–'],
    [words.created, time(user.created_at)],
    [words.activated, time(user.activated_at)],
    [words.lastLogin, time(user.last_login_at)],
    [words.id, <code>{user.id}</code>],
  ]
  return (
    <dl class="facts">
      {facts.map(([title, fact]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{fact}</dd>
        </div>
      ))}
    </dl>
  )
}

function SessionList({ id, round }: { id: string; round: number }) {
  const loaded = useLoaded(`${id} ${round}`, () => client.admin.sessions(id))
  return (
    <Show loaded={loaded}>
      {(sessions) => (
        <Table
          caption={words.sessions}
          empty={words.nothing}
          rows={sessions}
          columns={[
            { title: words.device, cell: (session) => device(session.user_agent) },
            { title: 'IP', cell: ({ ip, country: code }) => `${ip ?? '–'} · ${country(code)}` },
            { title: words.since, cell: ({ created_at: at }) => <Time at={at} /> },
            { title: words.lastUsed, cell: ({ last_used_at: at }) => <Time at={at} /> },
          ]}
        />
      )}
    </Show>
  )
}
