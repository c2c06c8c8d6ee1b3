import { useEffect, useRef } from 'preact/hooks'
import './console.css'
import type { User } from '../../client/src/index.ts'
import { Card, Shell } from '../parts/shell.tsx'
import { SignOut } from '../parts/sign-out.tsx'
import { StepUp } from '../parts/step-up.tsx'
import { Toasts } from '../parts/toasts.tsx'
import { useSignedIn } from '../session.ts'
import { setTitle } from '../start.tsx'
import { texts } from '../texts/language.ts'
import { Audit } from './audit.tsx'
import { Emails } from './emails.tsx'
import { Link } from '../parts/link.tsx'
import { type May, mayOf } from './may.ts'
import { Room } from './room.tsx'
import { type Route, useRoute } from '../parts/route.ts'
import { words } from './texts/words.ts'
import { UserPage } from './user.tsx'
import { Users } from './users.tsx'

export function Console() {
  const signedIn = useSignedIn()
  return (
    <Shell
      title={words.title}
      width="wide"
      header={
        <nav class="actions" aria-label={words.account}>
          <a class="button quiet" href="/account">
            {words.account}
          </a>
          {signedIn.state === 'ready' && <SignOut />}
        </nav>
      }
    >
      {signedIn.state === 'loading' && <p class="soft">{texts.common.loading}</p>}
      {signedIn.state === 'failed' && (
        <div class="notice" role="alert">
          {signedIn.message}
        </div>
      )}
      {signedIn.state === 'ready' && <Views own={signedIn.user} />}
      <StepUp />
      <Toasts />
    </Shell>
  )
}

function Views({ own }: { own: User }) {
  const route = useRoute()
  const may = mayOf(own)
  if (!may('users:read')) {
    return (
      <Card>
        <h1>{words.title}</h1>
        <p>{words.notForYou}</p>
      </Card>
    )
  }
  return (
    <>
      {own.role === 'ADMIN' && <Room />}
      <View route={route} may={may} />
    </>
  )
}

interface ViewProps {
  route: Route
  may: May
}

function View({ route, may }: ViewProps) {
  const { user } = route
  const view = viewOf(route)
  const title = user === undefined ? words[view] : words.users
  const heading = useRef<HTMLHeadingElement>(null)
  const isFirst = useRef(true)
  // Moves a screen reader to the new view, as a new page would.
  useEffect(() => {
    if (!isFirst.current) heading.current?.focus()
    isFirst.current = false
    setTitle(`${title} · ${words.title}`)
  }, [view, user])
  return (
    <>
      <nav class="tabs" aria-label={words.title}>
        <Link to={{}} isCurrent={view === 'users'}>
          {words.users}
        </Link>
        {may('audit:read') && (
          <Link to={{ view: 'audit' }} isCurrent={view === 'audit'}>
            {words.audit}
          </Link>
        )}
        {may('emails:read') && (
          <Link to={{ view: 'emails' }} isCurrent={view === 'emails'}>
            {words.emails}
          </Link>
        )}
      </nav>
      <Card>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {!may(needed[view]) && <p>{texts.failure.notPermitted}</p>}
        {may(needed[view]) && user !== undefined && <UserPage key={user} route={route} id={user} may={may} />}
        {may(needed[view]) && user === undefined && <List view={view} route={route} />}
      </Card>
    </>
  )
}

const needed = { users: 'users:read', audit: 'audit:read', emails: 'emails:read' } as const
type ViewName = keyof typeof needed

/** The page of a user belongs to the users. */
function viewOf({ view = 'users', user }: Route): ViewName {
  return user === undefined && Object.hasOwn(needed, view) ? (view as ViewName) : 'users'
}

function List({ view, route }: { view: ViewName; route: Route }) {
  if (view === 'audit') return <Audit route={route} />
  return view === 'emails' ? <Emails route={route} /> : <Users route={route} />
}
