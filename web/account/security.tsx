/** Everything that decides who gets into the account. */
import type { Session, User } from '../../client/src/index.ts'
import type { Loaded } from '../parts/load.tsx'
import { Card } from '../parts/shell.tsx'
import { Deletion } from './deletion.tsx'
import { PasswordChange } from './password.tsx'
import { Sessions } from './sessions.tsx'

export function Security({ user, sessions }: { user: User; sessions: Loaded<Session[]> }) {
  return (
    <div class="columns">
      <div class="column">
        <Card>
          <PasswordChange user={user} />
        </Card>
      </div>
      <div class="column">
        <Card>
          <Sessions loaded={sessions} />
        </Card>
        <Card>
          <Deletion />
        </Card>
      </div>
    </div>
  )
}
