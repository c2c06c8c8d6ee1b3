import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { hrefTo } from '../navigation.ts'
import { PasswordField } from '../parts/fields.tsx'
import { LinkPage } from '../parts/link-page.tsx'
import { returnTarget, returnToByMail, withReturn } from '../return-to.ts'
import { texts } from '../texts/language.ts'

export function Activate() {
  const { activation, common, fields } = texts
  return (
    <LinkPage
      words={activation}
      askTitle={activation.title}
      ask={(email) => client.resendActivation(email, returnToByMail().return_to)}
      name="password"
      missing={fields.passwordMissing}
      field={(error) => (
        <>
          <PasswordField label={common.password} name="password" autoComplete="current-password" error={error} />
          <p class="beside">
            <a href={hrefTo(withReturn('/forgot-password'))}>{activation.forgot}</a>
          </p>
        </>
      )}
      redeem={async (proofs) => {
        try {
          await client.activate(proofs)
        } catch (error) {
          if (hasCode(error, 'invalid_credentials')) return { password: activation.wrongPassword }
          throw error
        }
        return undefined
      }}
      // Activation is the first sign-in.
      next={{ href: returnTarget(), label: activation.goOn }}
    />
  )
}
