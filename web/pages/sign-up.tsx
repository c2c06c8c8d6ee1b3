import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { client } from '../client.ts'
import { hrefTo } from '../navigation.ts'
import { CheckInbox } from '../parts/ask-for-mail.tsx'
import { useChallenge } from '../parts/challenge.tsx'
import { EmailField, TextField } from '../parts/fields.tsx'
import { Submit, focusField, useForm } from '../parts/form.tsx'
import { NewPasswordField } from '../parts/new-password.tsx'
import { Resend } from '../parts/resend.tsx'
import { Card, Shell } from '../parts/shell.tsx'
import { returnToByMail, withReturn } from '../return-to.ts'
import { language, texts } from '../texts/language.ts'

const names = ['email', 'first_name', 'last_name', 'password'] as const

export function SignUp() {
  const { signUp: words, fields } = texts
  /** What was sent, for when the form is shown again. */
  const [sent, setSent] = useState({ email: '', first_name: '', last_name: '', isDone: false })
  const typed = useRef<{ [Name in (typeof names)[number]]?: string }>({})
  const note = (name: (typeof names)[number]) => ({
    onInput: ({ currentTarget }: { currentTarget: HTMLInputElement }) =>
      void (typed.current[name] = currentTarget.value),
  })

  const challenge = useChallenge('register', true)
  const form = useForm(names, async ({ email, first_name, last_name, password }) => {
    if (email.trim() === '') return { email: fields.emailMissing }
    if (password === '') return { password: fields.passwordMissing }
    const optional = { ...(first_name.trim() && { first_name }), ...(last_name.trim() && { last_name }) }
    const account = { email, password, locale: language, ...optional, ...returnToByMail() }
    await challenge.send((proof) => client.signUp({ ...account, ...proof }))
    setSent({ email, first_name, last_name, isDone: true })
    return undefined
  })

  useLayoutEffect(() => {
    if (sent.email !== '') focusField(form, 'email')
  }, [sent.isDone])

  const knownAs = () => {
    const { email = '', first_name: firstName, last_name: lastName } = typed.current
    return { email, firstName, lastName }
  }
  return (
    <Shell title={words.title}>
      <Card>
        {sent.isDone ? (
          <CheckInbox email={sent.email} onWrongAddress={() => setSent({ ...sent, isDone: false })}>
            <Resend ask={() => client.resendActivation(sent.email, returnToByMail().return_to)} />
          </CheckInbox>
        ) : (
          <>
            <h1>{words.title}</h1>
            <form {...form.props}>
              <EmailField error={form.errorOf('email')} autoFocus defaultValue={sent.email} {...note('email')} />
              <TextField
                label={fields.firstName}
                name="first_name"
                autoComplete="given-name"
                maxLength={100}
                defaultValue={sent.first_name}
                error={form.errorOf('first_name')}
                {...note('first_name')}
              />
              <TextField
                label={fields.lastName}
                name="last_name"
                autoComplete="family-name"
                maxLength={100}
                defaultValue={sent.last_name}
                error={form.errorOf('last_name')}
                {...note('last_name')}
              />
              <NewPasswordField name="password" error={form.errorOf('password')} knownAs={knownAs} />
              {challenge.widget}
              <Submit form={form} busy={words.busy}>
                {words.submit}
              </Submit>
            </form>
          </>
        )}
      </Card>
      <p class="aside">
        {words.hasAccount} <a href={hrefTo(withReturn('/sign-in'))}>{texts.signIn.title}</a>
      </p>
    </Shell>
  )
}
