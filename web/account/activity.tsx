import { useRef } from 'preact/hooks'
import type { Activity } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { explain } from '../failures.ts'
import { ago, country, device, moment } from '../format.ts'
import { Show, useLoaded } from '../parts/load.tsx'
import { useOneAtATime } from '../parts/one-at-a-time.ts'
import { toast } from '../parts/toasts.tsx'
import { texts } from '../texts/language.ts'
import { textOf } from './event-text.ts'
import { words } from './texts/words.ts'

const pageSize = 10
/** What the service answers at most. */
const maxPageSize = 100

export function ActivityList() {
  const { activity } = texts
  /** How many events are shown, so that as many are fetched again. */
  const shown = useRef(pageSize)
  const loaded = useLoaded('activity', () => client.activity({ limit: Math.min(shown.current, maxPageSize) }))
  const { isBusy, run } = useOneAtATime()

  async function more({ events, next_cursor: cursor }: { events: Activity[]; next_cursor: string | null }) {
    if (cursor === null) return
    try {
      const page = await client.activity({ limit: pageSize, cursor })
      shown.current = events.length + page.events.length
      loaded.change({ ...page, events: [...events, ...page.events] })
    } catch (error) {
      toast(explain(error))
    }
  }

  return (
    <>
      <h2>{activity.title}</h2>
      <Show loaded={loaded}>
        {(page) => (
          <>
            <ul class="list">
              {page.events.map((event) => (
                <li key={event.id}>
                  <div>
                    <strong>{textOf(event, activity)}</strong> <Kind detail={event.detail} />{' '}
                    {event.actor === 'administrator' && <span class="badge">{activity.byAdministrator}</span>}
                    <p class="soft">
                      <time dateTime={event.at} title={moment(event.at)}>
                        {ago(event.at)}
                      </time>
                      {event.user_agent !== null && ` · ${device(event.user_agent)}`}
                      {event.country !== null && ` · ${country(event.country)}`}
                      {event.ip !== null && ` · ${event.ip}`}
                    </p>
                  </div>
                </li>
              ))}
            </ul>
            {page.next_cursor !== null && (
              <button type="button" class="quiet" aria-disabled={isBusy} onClick={() => void run(() => more(page))}>
                {activity.more}
              </button>
            )}
          </>
        )}
      </Show>
    </>
  )
}

/** The kind of factor that an event is about, if it says so. */
function Kind({ detail }: Pick<Activity, 'detail'>) {
  const kind = new Map(Object.entries<string>(words.kinds)).get(String(detail?.['kind']))
  return kind === undefined ? null : <span class="badge">{kind}</span>
}
