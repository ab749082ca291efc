// Passkeys. What is to be signed stands in the page (#passkey-options, JSON), or is fetched from
// data-passkey-from; what the authenticator answers goes into the form's field `credential`, and the form is sent.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** The options as the browser wants them: bytes where JSON has base64url. */
function decoded({ publicKey }) {
  const known = (list) => list?.map((each) => ({ ...each, id: bytes(each.id) }));
  const options = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (publicKey.user) options.user = { ...publicKey.user, id: bytes(publicKey.user.id) };
  if (publicKey.allowCredentials) options.allowCredentials = known(publicKey.allowCredentials);
  if (publicKey.excludeCredentials) options.excludeCredentials = known(publicKey.excludeCredentials);
  return { publicKey: options };
}

function encoded(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
}

async function optionsFor(button) {
  if (!button.dataset.passkeyFrom) return JSON.parse(document.getElementById("passkey-options").textContent);
  const answer = await fetch(button.dataset.passkeyFrom, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  return answer.json();
}

async function use(button) {
  const { form } = button;
  const failed = form.querySelector("[data-passkey-failed]");
  failed.hidden = true;
  button.disabled = true;
  try {
    const options = decoded(await optionsFor(button));
    const credential =
      button.dataset.passkey === "create"
        ? await navigator.credentials.create(options)
        : await navigator.credentials.get(options);
    form.elements.namedItem(button.dataset.passkeyField ?? "credential").value = encoded(credential);
    form.requestSubmit ? form.requestSubmit() : form.submit();
  } catch (error) {
    console.info(error);
    failed.hidden = false;
  } finally {
    button.disabled = false;
  }
}

// Passkeys belong to a name: browsers refuse them on an address of numbers, and over plain HTTP (but for localhost).
const isName = !/^[\d.]+$|:/.test(location.hostname.replace(/^\[|\]$/g, ""));
const works = isName && window.isSecureContext && Boolean(window.PublicKeyCredential);
for (const button of document.querySelectorAll("[data-passkey]")) {
  button.hidden = !works;
  button.addEventListener("click", () => use(button));
}
for (const note of document.querySelectorAll("[data-passkey-impossible]")) note.hidden = works;
