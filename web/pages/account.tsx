import { useEffect, useRef } from 'preact/hooks'
import '../account/account.css'
import type { User } from '../../client/src/index.ts'
import { ActivityList } from '../account/activity.tsx'
import { Data } from '../account/data.tsx'
import { EmailChange } from '../account/email.tsx'
import { surelyNeedsCode } from '../account/mail-code.tsx'
import { Person } from '../account/person.tsx'
import { Profile } from '../account/profile.tsx'
import { Security } from '../account/security.tsx'
import { words } from '../account/texts/words.ts'
import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { Link } from '../parts/link.tsx'
import { useLoaded } from '../parts/load.tsx'
import { type Route, go, useRoute } from '../parts/route.ts'
import { Card, Shell } from '../parts/shell.tsx'
import { SignOut } from '../parts/sign-out.tsx'
import { StepUp } from '../parts/step-up.tsx'
import { Toasts } from '../parts/toasts.tsx'
import { useSignedIn } from '../session.ts'
import { setTitle } from '../start.tsx'
import { texts } from '../texts/language.ts'

export function Account() {
  const { account, common } = texts
  const signedIn = useSignedIn()
  const isReady = signedIn.state === 'ready'
  return (
    <Shell
      title={account.title}
      width="wide"
      header={
        isReady && (
          <div class="actions">
            {signedIn.user.role !== 'USER' && (
              <a class="button quiet" href="/console">
                {account.console}
              </a>
            )}
            <SignOut />
          </div>
        )
      }
    >
      {!isReady && <h1>{account.title}</h1>}
      {signedIn.state === 'loading' && <p class="soft">{common.loading}</p>}
      {signedIn.state === 'failed' && (
        <div class="notice" role="alert">
          {signedIn.message}
        </div>
      )}
      {isReady && <Views user={signedIn.user} />}
      <StepUp />
      <Toasts />
    </Shell>
  )
}

const names = ['profile', 'security', 'activity'] as const
type ViewName = (typeof names)[number]

const viewOf = ({ view }: Route): ViewName => names.find((name) => name === view) ?? 'profile'
const routeOf = (view: ViewName): Route => (view === 'profile' ? {} : { view })

function Views({ user }: { user: User }) {
  const view = viewOf(useRoute())
  const sessions = useLoaded('sessions', () => client.sessions())
  /** Where the service says that a factor comes first, nothing else can be done. */
  const mustEnrol = hasCode(sessions.error, 'factor_enrolment_required')
  const isKnown = sessions.value !== undefined || sessions.error !== undefined
  const place = useRef<HTMLElement>(null)
  const isFirst = useRef(true)
  useEffect(() => {
    if (mustEnrol && view !== 'security') go(routeOf('security'), { isReplacing: true })
  }, [mustEnrol, view])
  // Moves a screen reader to the new view, as a new page would.
  useEffect(() => {
    if (!isFirst.current) place.current?.focus()
    isFirst.current = false
    setTitle(`${words.views[view]} · ${texts.account.title}`)
  }, [view])
  return (
    <>
      <Person user={user} />
      {mustEnrol && (
        <p class="note" role="status">
          {words.enrol} {surelyNeedsCode(user) && words.enrolCode}
        </p>
      )}
      {!mustEnrol && (
        <nav class="tabs" aria-label={texts.account.title}>
          {names.map((name) => (
            <Link key={name} to={routeOf(name)} isCurrent={name === view}>
              {words.views[name]}
            </Link>
          ))}
        </nav>
      )}
      <section ref={place} tabIndex={-1} aria-label={words.views[view]}>
        {view === 'profile' && (
          <div class="columns">
            <Card>
              <Profile user={user} />
            </Card>
            <div class="column">
              <Card>
                <EmailChange user={user} />
              </Card>
              <Card>
                <Data />
              </Card>
            </div>
          </div>
        )}
        {view === 'security' && <Security user={user} sessions={sessions} mustEnrol={mustEnrol} />}
        {view === 'activity' && isKnown && !mustEnrol && (
          <Card>
            <ActivityList />
          </Card>
        )}
      </section>
    </>
  )
}
