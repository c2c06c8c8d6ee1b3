import type { entrance as english } from './en.ts'

export const entrance: typeof english = {
  secondStep: {
    title: 'Noch ein Schritt',
    passkey: 'Bestätigen Sie mit Ihrem Passkey, dass Sie es sind.',
    passkeyRefused:
      'Dieser Passkey wurde nicht angenommen. Versuchen Sie es noch einmal oder wählen Sie einen anderen Weg.',
    waiting: 'Warten auf Ihr Gerät …',
    trust: 'Auf diesem Gerät 30 Tage lang nicht mehr fragen',
    submit: 'Weiter',
    busy: 'Wird geprüft …',
    startOver: 'Zurück zur Anmeldung',
  },
  offer: {
    title: 'Melden Sie sich künftig schneller an',
    why: 'Mit einem Passkey melden Sie sich mit Fingerabdruck, Gesicht oder der PIN dieses Geräts an, ohne ein Passwort einzugeben. Das Passwort allein reicht danach nicht mehr aus.',
    create: 'Passkey erstellen',
    notNow: 'Jetzt nicht',
    createdTitle: 'Sie haben jetzt einen Passkey',
    created: 'Ab jetzt können Sie sich damit anmelden. Ihr Passwort gilt weiter, reicht allein aber nicht mehr aus.',
    codes:
      'Bewahren Sie diese Wiederherstellungscodes für den Fall auf, dass Sie den Passkey verlieren. Jeder gilt einmal. Sie werden nur jetzt angezeigt.',
    goOn: 'Weiter',
  },
  codes: {
    list: 'Wiederherstellungscodes',
    copy: 'Kopieren',
    copied: 'Kopiert.',
    notCopied: 'Dieser Browser erlaubt das Kopieren nicht. Bitte kopieren Sie von Hand.',
    download: 'Herunterladen',
    print: 'Drucken',
    file: 'wiederherstellungscodes.txt',
    saved: 'Ich habe sie gesichert',
  },
}
