import { ActivityList } from '../account/activity.tsx'
import { Deletion } from '../account/deletion.tsx'
import { PasswordChange } from '../account/password.tsx'
import { Profile } from '../account/profile.tsx'
import { Sessions } from '../account/sessions.tsx'
import { client } from '../client.ts'
import { explain } from '../failures.ts'
import { Card, Shell } from '../parts/shell.tsx'
import { Toasts, toast } from '../parts/toasts.tsx'
import { useSignedIn } from '../session.ts'
import { texts } from '../texts/language.ts'

export function Account() {
  const { account, common } = texts
  const signedIn = useSignedIn()
  const signOut = () => void client.signOut().catch((error: unknown) => toast(explain(error)))
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
            <button type="button" class="quiet" onClick={signOut}>
              {account.signOut}
            </button>
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
          <Card>
            <Profile user={signedIn.user} />
          </Card>
          <Card>
            <PasswordChange user={signedIn.user} />
          </Card>
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
      )}
      <Toasts />
    </Shell>
  )
}
