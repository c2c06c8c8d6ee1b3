import { useState } from 'preact/hooks'
import type { User } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { PasswordField } from '../parts/fields.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { NewPasswordField } from '../parts/new-password.tsx'
import { toast } from '../parts/toasts.tsx'
import { refreshViews } from '../parts/views.ts'
import { hrefTo } from '../navigation.ts'
import { texts } from '../texts/language.ts'
import { withTypedAddress } from '../typed-address.ts'
import { words } from './texts/words.ts'

export function PasswordChange({ user }: { user: User }) {
  const { account, fields } = texts
  /** Changes after each success, which empties the form. */
  const [round, setRound] = useState(0)
  const form = useForm(['old_password', 'new_password'], async (passwords) => {
    if (passwords.old_password === '') return { old_password: fields.passwordMissing }
    if (passwords.new_password === '') return { new_password: fields.newPasswordMissing }
    try {
      await client.changePassword(passwords)
    } catch (error) {
      if (hasCode(error, 'wrong_password')) return { old_password: account.wrongPassword }
      throw error
    } finally {
      refreshViews()
    }
    toast(account.passwordChanged)
    setRound(round + 1)
    return undefined
  })
  return (
    <>
      <h2>{account.password}</h2>
      <p class="soft">{account.passwordHint}</p>
      <form key={round} {...form.props}>
        <input class="unseen" type="email" name="username" autoComplete="username" value={user.email} readOnly hidden />
        <PasswordField
          label={account.oldPassword}
          name="old_password"
          autoComplete="current-password"
          error={form.errorOf('old_password')}
        />
        <NewPasswordField
          name="new_password"
          error={form.errorOf('new_password')}
          knownAs={() => ({ email: user.email, firstName: user.first_name, lastName: user.last_name })}
        />
        <Submit form={form} busy={account.saving}>
          {account.changePassword}
        </Submit>
      </form>
      <p class="last">
        {words.noPassword} <a href={hrefTo(withTypedAddress('/forgot-password', user.email))}>{words.setPassword}</a>
      </p>
    </>
  )
}
