import { ActivityList } from '../account/activity.tsx'
import { Deletion } from '../account/deletion.tsx'
import { PasswordChange } from '../account/password.tsx'
import { Profile } from '../account/profile.tsx'
import { Sessions } from '../account/sessions.tsx'
import { Card, Shell } from '../parts/shell.tsx'
import { SignOut } from '../parts/sign-out.tsx'
import { Toasts } from '../parts/toasts.tsx'
import { useSignedIn } from '../session.ts'
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
          <nav class="actions" aria-label={account.title}>
            {signedIn.user.role !== 'USER' && (
              <a class="button quiet" href="/console">
                {account.console}
              </a>
            )}
            <SignOut />
          </nav>
        )
      }
    >
      <h1>{account.title}</h1>
      {signedIn.state === 'loading' && <p class="soft">{common.loading}</p>}
      {signedIn.state === 'failed' && (
        <div class="notice" role="alert">
          {signedIn.message}
        </div>
      )}
      {isReady && (
        <div class="columns">
          <div class="column">
            <Card>
              <Profile user={signedIn.user} />
            </Card>
            <Card>
              <PasswordChange user={signedIn.user} />
            </Card>
          </div>
          <div class="column">
            <Card>
              <Sessions />
            </Card>
            <Card>
              <ActivityList />
            </Card>
            <Card>
              <Deletion />
            </Card>
          </div>
        </div>
      )}
      <Toasts />
    </Shell>
  )
}
