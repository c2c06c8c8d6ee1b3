import type { Session } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { explain, hasCode } from '../failures.ts'
import { ago, country, device, moment } from '../format.ts'
import { type Loaded, Show } from '../parts/load.tsx'
import { useOneAtATime } from '../parts/one-at-a-time.ts'
import { toast } from '../parts/toasts.tsx'
import { refreshViews } from '../parts/views.ts'
import { texts } from '../texts/language.ts'
import { SignOutEverywhere } from './everywhere.tsx'

export function Sessions({ loaded }: { loaded: Loaded<Session[]> }) {
  const { session: words } = texts
  const { isBusy, run } = useOneAtATime()

  const end = (work: () => Promise<void>, done: string) =>
    run(async () => {
      try {
        await work()
        toast(done)
      } catch (error) {
        // It ended on that device or in another tab after this list was fetched.
        toast(hasCode(error, 'not_found') ? words.endedBefore : explain(error))
      }
      refreshViews()
    })

  return (
    <>
      <h2>{words.title}</h2>
      <Show loaded={loaded}>
        {(sessions) => (
          <>
            <ul class="list">
              {sessions.map((session) => (
                <li key={session.id}>
                  <Description session={session} />
                  {!session.current && (
                    <button
                      type="button"
                      class="quiet"
                      aria-label={words.endOf(device(session.user_agent))}
                      onClick={() => void end(() => client.endSession(session.id), words.ended)}
                    >
                      {words.end}
                    </button>
                  )}
                </li>
              ))}
            </ul>
            <span class="pair">
              {sessions.length > 1 && (
                <button
                  type="button"
                  class="quiet"
                  aria-disabled={isBusy}
                  onClick={() => void end(() => client.endOtherSessions(), words.othersEnded)}
                >
                  {words.endOthers}
                </button>
              )}
              <SignOutEverywhere />
            </span>
          </>
        )}
      </Show>
    </>
  )
}

function Description({ session }: { session: Session }) {
  const { session: words } = texts
  return (
    <div>
      <strong>{device(session.user_agent)}</strong> {session.current && <span class="badge">{words.current}</span>}
      <p class="soft">
        {[country(session.country), session.ip].filter(Boolean).join(' · ')}
        {' · '}
        <time dateTime={session.last_used_at} title={moment(session.last_used_at)}>
          {words.lastUsed(ago(session.last_used_at))}
        </time>
      </p>
    </div>
  )
}
