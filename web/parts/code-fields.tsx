/** Fields for the codes that are a second factor. */
import { texts } from '../texts/language.ts'
import { TextField } from './fields.tsx'

/** Apps and emails show codes in groups. */
export const digitsOf = (typed: string) => typed.replaceAll(/\s/g, '')

interface CodeFieldProps {
  label?: string
  name: string
  error: string | undefined
}

/** For a code of digits, as an authenticator app shows it or an email brings it. */
export function CodeField({ label = texts.factor.code, name, error }: CodeFieldProps) {
  return (
    <TextField
      label={label}
      name={name}
      inputMode="numeric"
      autoComplete="one-time-code"
      spellcheck={false}
      maxLength={16}
      required
      error={error}
    />
  )
}

export function RecoveryCodeField({ error }: { error: string | undefined }) {
  return (
    <TextField
      label={texts.factor.recoveryCode}
      name="recovery_code"
      autoComplete="off"
      autoCapitalize="characters"
      spellcheck={false}
      maxLength={64}
      required
      error={error}
    />
  )
}
