import { useEffect, useState } from 'preact/hooks'
import type { User } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { explain } from '../failures.ts'
import { OneClick } from '../links/one-click.tsx'
import { words } from '../links/texts/words.ts'
import { hrefTo } from '../navigation.ts'
import { Card, Shell } from '../parts/shell.tsx'
import { StepUp } from '../parts/step-up.tsx'
import { texts } from '../texts/language.ts'

/** Only the session that asked for the change, or another one of the same user, can confirm it. */
export function ConfirmEmail() {
  const { confirm: its } = words
  const [user, setUser] = useState<User | null>()
  const [failure, setFailure] = useState<string>()
  useEffect(() => {
    client.restore().then(setUser, (error: unknown) => setFailure(explain(error)))
  }, [])
  return (
    <Shell title={its.title}>
      <Card>
        {user === undefined && <h1>{its.title}</h1>}
        {user === undefined && failure === undefined && <p class="soft">{texts.common.loading}</p>}
        {failure !== undefined && (
          <div class="notice" role="alert">
            {failure}
          </div>
        )}
        {user === null && (
          <>
            <h1>{its.signInTitle}</h1>
            <p>{its.signIn}</p>
            <p>
              <a class="button primary" href={hrefTo('/sign-in')}>
                {texts.signIn.title}
              </a>
            </p>
          </>
        )}
        {user && (
          <OneClick
            words={its}
            intro={its.intro(user.email)}
            redeem={async (token) => its.done((await client.confirmEmail(token)).email)}
            next={
              <p>
                <a class="button primary" href="/account">
                  {texts.account.title}
                </a>
              </p>
            }
          />
        )}
      </Card>
      <StepUp />
    </Shell>
  )
}
