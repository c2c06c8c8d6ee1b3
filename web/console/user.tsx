import type { ComponentChildren } from 'preact'
import type { AdministeredUser } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { country, device, languageName, moment } from '../format.ts'
import { Show, useLoaded } from '../parts/load.tsx'
import { Acts } from './acts.tsx'
import { Events } from './audit.tsx'
import { Outbox } from './emails.tsx'
import { Link } from '../parts/link.tsx'
import type { May } from './may.ts'
import { actsOn, endSessions, isOutOfReach } from './offers.ts'
import type { Route } from '../parts/route.ts'
import { listSeenLast } from './seen-list.ts'
import { Table } from './table.tsx'
import { words } from './texts/words.ts'
import { Time } from './users.tsx'

interface UserPageProps {
  route: Route
  id: string
  may: May
}

export function UserPage({ route, id, may }: UserPageProps) {
  const loaded = useLoaded(id, () => client.admin.user(id))
  const isGone = hasCode(loaded.error, 'not_found')
  return (
    <>
      <p>
        <Link to={listSeenLast()}>{words.back}</Link>
      </p>
      {isGone ? (
        <>
          <h2>{words.goneTitle}</h2>
          <p>{words.gone}</p>
        </>
      ) : (
        <Show loaded={loaded}>
          {(user) => (
            <>
              <h2>{user.email}</h2>
              {may.isOwn(id) && (
                <p>
                  {words.isOwn} <a href="/account">{words.account}</a>
                </p>
              )}
              {isOutOfReach(user, may) && <p>{words.suspendedByAdmin}</p>}
              <Acts user={user} acts={actsOn(user, may)} />
              <Facts user={user} />
              {may('users:revoke-sessions') && (
                <Section title={words.sessions}>
                  <SessionList user={user} may={may} />
                </Section>
              )}
            </>
          )}
        </Show>
      )}
      {(isGone || loaded.value) && may('audit:read') && (
        <Section title={words.trail}>
          <Events route={route} list="events" userId={id} />
        </Section>
      )}
      {(isGone || loaded.value) && may('emails:read') && (
        <Section title={words.mails}>
          <Outbox route={route} list="emails" userId={id} />
        </Section>
      )}
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
    [words.factors, user.factors.map((kind) => words.factorKinds[kind]).join(', ') || words.none],
    [words.deliverable, user.email_deliverable ? words.yes : words.no],
    [words.name, name || '–'],
    [words.bio, <span class="lines">{user.bio ?? '–'}</span>],
    [words.avatarUrl, user.avatar_url ?? '–'],
    [words.locale, user.locale === null ? '–' : languageName(user.locale)],
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

function SessionList({ user, may }: { user: AdministeredUser; may: May }) {
  const loaded = useLoaded(user.id, () => client.admin.sessions(user.id))
  const isOffered = !may.isOwn(user.id) && may(endSessions.permission, user.role)
  return (
    <Show loaded={loaded}>
      {(sessions) => (
        <>
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
          {isOffered && sessions.length > 0 && <Acts user={user} acts={[endSessions]} />}
        </>
      )}
    </Show>
  )
}
