import { useEffect, useRef } from 'preact/hooks'
import './console.css'
import type { Role } from '../../client/src/index.ts'
import { Card, Shell } from '../parts/shell.tsx'
import { SignOut } from '../parts/sign-out.tsx'
import { Toasts } from '../parts/toasts.tsx'
import { useSignedIn } from '../session.ts'
import { texts } from '../texts/language.ts'
import { Audit } from './audit.tsx'
import { Emails } from './emails.tsx'
import { Link } from './link.tsx'
import { type May, mayOf } from './may.ts'
import { type Route, useRoute } from './route.ts'
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
      {signedIn.state === 'ready' && <Views role={signedIn.user.role} />}
      <Toasts />
    </Shell>
  )
}

function Views({ role }: { role: Role }) {
  const route = useRoute()
  const may = mayOf(role)
  if (!may('users:read')) {
    return (
      <Card>
        <h1>{words.title}</h1>
        <p>{words.notForYou}</p>
      </Card>
    )
  }
  return <View route={route} may={may} />
}

interface ViewProps {
  route: Route
  may: May
}

function View({ route, may }: ViewProps) {
  const { view = 'users', user } = route
  const title = user === undefined ? titleOf(view) : words.users
  const heading = useRef<HTMLHeadingElement>(null)
  const isFirst = useRef(true)
  // Moves a screen reader to the new view, as a new page would.
  useEffect(() => {
    if (!isFirst.current) heading.current?.focus()
    isFirst.current = false
  }, [view, user])
  return (
    <>
      <nav class="tabs" aria-label={words.title}>
        <Link to={{}} isCurrent={user === undefined && view === 'users'}>
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
        {user !== undefined && <UserPage key={user} id={user} may={may} />}
        {user === undefined && view === 'users' && <Users route={route} />}
        {user === undefined && view === 'audit' && <Audit route={route} />}
        {user === undefined && view === 'emails' && <Emails route={route} />}
      </Card>
    </>
  )
}

function titleOf(view: string): string {
  if (view === 'audit') return words.audit
  return view === 'emails' ? words.emails : words.users
}
