import { client } from '../client.ts'
import { LinkPage } from '../parts/link-page.tsx'
import { NewPasswordField } from '../parts/new-password.tsx'
import { withReturn } from '../return-to.ts'
import { texts } from '../texts/language.ts'
import { askForReset } from './forgot-password.tsx'

/** The link says whose password it is, but only to the service. */
const nobody = () => ({ email: '' })

export function ResetPassword() {
  const { reset, fields, signIn } = texts
  return (
    <LinkPage
      words={reset}
      askTitle={reset.askTitle}
      ask={askForReset}
      isGuarded
      name="new_password"
      missing={fields.newPasswordMissing}
      field={(error) => <NewPasswordField name="new_password" error={error} knownAs={nobody} />}
      redeem={async (proofs) => {
        await client.resetPassword(proofs)
        return undefined
      }}
      next={{ href: withReturn('/sign-in'), label: signIn.title }}
    />
  )
}
