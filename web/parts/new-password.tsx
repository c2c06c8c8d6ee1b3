/** A field for a password that is to be set: it says while it is typed what the service will say. */
import { useEffect, useState } from 'preact/hooks'
import { type KnownAs, knownWords, lengthOf, minScore } from '../../src/crypto/password-rules.ts'
import type { judgeStrength } from '../../src/crypto/strength.ts'
import { passwordMinLength, productName } from '../settings.ts'
import { texts } from '../texts/language.ts'
import { PasswordField } from './fields.tsx'

interface NewPasswordProps {
  name: string
  error: string | undefined
  /** What others know of the person, as far as it is typed or known yet. */
  knownAs: () => KnownAs
}

export function NewPasswordField({ name, error, knownAs }: NewPasswordProps) {
  const [password, setPassword] = useState('')
  const [judge, setJudge] = useState<typeof judgeStrength>()
  const [isWanted, setIsWanted] = useState(false)

  // The judge and its dictionary are 200 kB, which only who sets a password has to load.
  useEffect(() => {
    if (!isWanted) return
    import('../../src/crypto/strength.ts').then(
      ({ judgeStrength }) => setJudge(() => judgeStrength),
      // Without it there is no advice, and the service judges alone.
      () => undefined,
    )
  }, [isWanted])

  const { score, advice } = assess(password, judge, knownAs)
  return (
    <PasswordField
      label={texts.common.newPassword}
      name={name}
      autoComplete="new-password"
      error={error}
      onFocus={() => setIsWanted(true)}
      onInput={({ currentTarget }) => setPassword(currentTarget.value)}
      hint={
        <>
          <meter class="strength" min={0} max={4} low={2} high={3} optimum={4} value={score}>
            {score}
          </meter>
          <span aria-live="polite">{advice}</span>
        </>
      }
    />
  )
}

function assess(password: string, judge: typeof judgeStrength | undefined, knownAs: () => KnownAs) {
  const { password: words } = texts
  if (lengthOf(password) < passwordMinLength) return { score: 0, advice: words.tooShort(passwordMinLength) }
  if (!judge) return { score: 0, advice: words.judging }
  const { score, advice } = judge(password.normalize('NFC'), knownWords(productName, knownAs()))
  return { score, advice: score >= minScore ? words.good : words.advice(advice) }
}
