import { useEffect, useRef } from 'preact/hooks'
import type { Permission, User } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { Show, useLoaded } from '../parts/load.tsx'
import { Card, Shell } from '../parts/shell.tsx'
import { SignOut } from '../parts/sign-out.tsx'
import { Toasts } from '../parts/toasts.tsx'
import { useSignedIn } from '../session.ts'
import { texts } from '../texts/language.ts'
import { Audit } from './audit.tsx'
import { Emails } from './emails.tsx'
import { Link } from './link.tsx'
import { type Route, useRoute } from './route.ts'
import { words } from './texts/words.ts'
import { UserPage } from './user.tsx'
import { Users } from './users.tsx'

/** What a role may do is asked, and not known here: the service decides anyway. */
export type May = (permission: Permission) => boolean

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
      {signedIn.state === 'ready' && <Rooms user={signedIn.user} />}
      <Toasts />
    </Shell>
  )
}

function Rooms({ user }: { user: User }) {
  const route = useRoute()
  const loaded = useLoaded(user.role, () => client.admin.roles())
  return (
    <Show loaded={loaded}>
      {(roles) => {
        const permissions = roles.find(({ role }) => role === user.role)?.permissions ?? []
        const may: May = (permission) => permissions.includes(permission)
        if (!may('users:read')) {
          return (
            <Card>
              <h1>{words.title}</h1>
              <p>{words.notForYou}</p>
            </Card>
          )
        }
        return <Room route={route} may={may} own={user} />
      }}
    </Show>
  )
}

interface RoomProps {
  route: Route
  may: May
  /** Who sits at the console. */
  own: User
}

function Room({ route, may, own }: RoomProps) {
  const { view = 'users', user } = route
  const title = user === undefined ? titleOf(view) : words.users
  const heading = useRef<HTMLHeadingElement>(null)
  const isFirst = useRef(true)
  // A screen reader goes on at the new room, as it would on a new page.
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
        {user !== undefined && <UserPage key={user} id={user} may={may} own={own} />}
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
