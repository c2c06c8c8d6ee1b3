/** Everything that decides who gets into the account. */
import { useState } from 'preact/hooks'
import type { Session, User } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { type Loaded, Show, useLoaded } from '../parts/load.tsx'
import { Card } from '../parts/shell.tsx'
import { Deletion } from './deletion.tsx'
import { surelyNeedsCode } from './mail-code.tsx'
import { PasswordChange } from './password.tsx'
import { Passkeys } from './passkeys.tsx'
import { NewCodesDialog, RecoveryCodes } from './recovery-codes.tsx'
import { Sessions } from './sessions.tsx'
import { Totp } from './totp.tsx'

interface SecurityProps {
  user: User
  sessions: Loaded<Session[]>
  /** Whether the service permits nothing else before a factor is added. */
  mustEnrol: boolean
}

export function Security({ user, sessions, mustEnrol }: SecurityProps) {
  const needsCode = mustEnrol && surelyNeedsCode(user)
  const loaded = useLoaded('factors', () => client.factors())
  const [codes, setCodes] = useState<string[]>()
  const hasFactor = loaded.value !== undefined && (loaded.value.passkeys.length > 0 || loaded.value.totp !== null)
  return (
    <div class="columns">
      <div class="column">
        <Show loaded={loaded}>
          {({ passkeys, totp, recovery_codes: count }) => (
            <div class="column">
              <Card>
                <Passkeys passkeys={passkeys} needsCode={needsCode} onCodes={setCodes} />
              </Card>
              <Card>
                <Totp totp={totp} needsCode={needsCode} onCodes={setCodes} />
              </Card>
              {hasFactor && (
                <Card>
                  <RecoveryCodes count={count} onCodes={setCodes} />
                </Card>
              )}
            </div>
          )}
        </Show>
      </div>
      {!mustEnrol && (
        <div class="column">
          <Card>
            <PasswordChange user={user} />
          </Card>
          <Card>
            <Sessions loaded={sessions} />
          </Card>
          <Card>
            <Deletion hasFactor={hasFactor} />
          </Card>
        </div>
      )}
      {codes && <NewCodesDialog codes={codes} onClose={() => setCodes(undefined)} />}
    </div>
  )
}
