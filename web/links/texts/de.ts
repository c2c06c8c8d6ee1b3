import type { Words } from './en.ts'

export const de: Words = {
  confirm: {
    title: 'Neue Adresse bestätigen',
    intro: (email) => `Sie sind als ${email} angemeldet. Danach melden Sie sich mit Ihrer neuen Adresse an.`,
    submit: 'Neue Adresse verwenden',
    signInTitle: 'Bitte zuerst anmelden',
    signIn:
      'Melden Sie sich in dem Konto an, dessen Adresse Sie ändern. Öffnen Sie danach den Link in der E-Mail noch einmal.',
    missing: 'Öffnen Sie den Link in der E-Mail, die wir an Ihre neue Adresse geschickt haben.',
    void: 'Der Link ist abgelaufen, wurde schon verwendet oder gehört zu einem anderen Konto. In Ihrem Konto können Sie einen neuen anfordern.',
    doneTitle: 'Ihre Adresse wurde geändert',
    done: (email) => `Ab jetzt melden Sie sich mit ${email} an.`,
  },
  revert: {
    title: 'Alte Adresse behalten',
    intro:
      'Hat jemand anders Ihre Adresse geändert? Dann stellen Sie hier die alte wieder her. Dabei werden alle abgemeldet. Das Passwort wird gelöscht, ebenso jeder Passkey und jede Authenticator-App, die seit dem Vortag hinzugefügt wurden. Danach schicken wir Ihnen einen Link für ein neues Passwort.',
    submit: 'Alte Adresse wiederherstellen',
    missing: 'Öffnen Sie den Link in der E-Mail, die wir an Ihre alte Adresse geschickt haben.',
    void: 'Der Link ist abgelaufen oder wurde schon verwendet, oder das Konto wurde gelöscht.',
    doneTitle: 'Ihre alte Adresse gilt wieder',
    done: 'Alle wurden abgemeldet, und das Passwort gilt nicht mehr. Öffnen Sie die E-Mail, die wir Ihnen gerade geschickt haben, und legen Sie ein neues fest.',
  },
  busy: 'Einen Moment …',
  voidTitle: 'Dieser Link ist nicht mehr gültig',
}
