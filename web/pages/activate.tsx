import { useState } from 'preact/hooks'
import type { SecondFactorRequired } from '../../client/src/index.ts'
import { needsFactor } from '../after-sign-in.ts'
import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { enrolment, hrefTo, leaveFor } from '../navigation.ts'
import { PasswordField } from '../parts/fields.tsx'
import { LinkPage } from '../parts/link-page.tsx'
import { SecondStep } from '../parts/second-step.tsx'
import { Card, Shell } from '../parts/shell.tsx'
import { returnTarget, returnToByMail, withReturn } from '../return-to.ts'
import { texts } from '../texts/language.ts'

export function Activate() {
  const { activation, common, fields } = texts
  const [step, setStep] = useState<SecondFactorRequired>()
  const [isLate, setIsLate] = useState(false)
  const [mustEnrol, setMustEnrol] = useState(false)
  if (step) {
    return (
      <Shell title={activation.title}>
        <Card>
          <SecondStep
            step={step}
            onDone={() => leaveFor(returnTarget())}
            // The link still works.
            onVoid={(isLate) => {
              setIsLate(isLate)
              setStep(undefined)
            }}
          />
        </Card>
      </Shell>
    )
  }
  return (
    <LinkPage
      words={isLate ? { ...activation, intro: texts.signIn.tooLate } : activation}
      askTitle={activation.title}
      ask={(email) => client.resendActivation(email, returnToByMail().return_to)}
      name="password"
      missing={fields.passwordMissing}
      field={(error) => (
        <>
          <PasswordField
            label={common.password}
            name="password"
            autoComplete="current-password"
            autoFocus
            error={error}
          />
          <p class="beside">
            <a href={hrefTo(withReturn('/forgot-password'))}>{activation.forgot}</a>
          </p>
        </>
      )}
      redeem={async (proofs) => {
        try {
          const outcome = await client.activate(proofs)
          if (outcome.kind === 'second_factor_required') {
            setStep(outcome)
            // This form is gone.
            return {}
          }
          setMustEnrol(await needsFactor())
          return undefined
        } catch (error) {
          if (hasCode(error, 'invalid_credentials')) return { password: activation.wrongPassword }
          throw error
        }
      }}
      // Activation is the first sign-in.
      next={{ href: mustEnrol ? enrolment : returnTarget(), label: activation.goOn }}
    />
  )
}
