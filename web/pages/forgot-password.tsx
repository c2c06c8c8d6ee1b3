import { client } from '../client.ts'
import { AskForMail } from '../parts/ask-for-mail.tsx'
import { hrefTo } from '../navigation.ts'
import type { Proof } from '../parts/challenge.tsx'
import { Card, Shell } from '../parts/shell.tsx'
import { returnToByMail, withReturn } from '../return-to.ts'
import { texts } from '../texts/language.ts'
import { takeTypedAddress } from '../typed-address.ts'

/** Taken when the script starts, as the token of a link is. */
const typed = takeTypedAddress()

export const askForReset = (email: string, proof: Proof) =>
  client.requestPasswordReset({ email, ...returnToByMail(), ...proof })

export function ForgotPassword() {
  const { reset } = texts
  return (
    <Shell title={reset.askTitle}>
      <Card>
        <AskForMail title={reset.askTitle} why={reset.askWhy} ask={askForReset} isGuarded typed={typed} />
      </Card>
      <p class="aside">
        <a href={hrefTo(withReturn('/sign-in'))}>{texts.signIn.title}</a>
      </p>
    </Shell>
  )
}
