// What a page cannot do without a script: tell times as the reader's own, and keep up with what happens.
// It makes no markup: a page that changed is fetched again, and what differs is taken over node by node.

const pad = (n, digits = 2) => String(n).padStart(digits, "0");

function localise(root) {
	for (const time of root.querySelectorAll("time[datetime]")) {
		const at = new Date(time.dateTime);
		if (isNaN(at)) continue;
		const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
		const clock = `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
		const shown = { clock: `${clock}.${pad(at.getMilliseconds(), 3)}`, hour: `${day.slice(5)} ${clock.slice(0, 5)}` };
		time.textContent = shown[time.dataset.show] ?? `${day} ${clock}`;
		time.title = time.dateTime;
	}
	const zone = root.querySelector("#zone");
	if (zone) zone.textContent = `Times are in ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`;
}

// update makes node what wanted is, changing as little as it can: what is the same stays, with its focus and selection, and
// what the reader opened stays open.
function update(node, wanted) {
	if (node.isEqualNode(wanted)) return;
	if (node.nodeType !== wanted.nodeType || node.nodeName !== wanted.nodeName) {
		node.replaceWith(document.importNode(wanted, true));
		return;
	}
	if (node.nodeType !== Node.ELEMENT_NODE) {
		node.nodeValue = wanted.nodeValue;
		return;
	}
	for (const { name } of [...node.attributes]) {
		if (name !== "open" && !wanted.hasAttribute(name)) node.removeAttribute(name);
	}
	for (const { name, value } of wanted.attributes) {
		if (name !== "open" && node.getAttribute(name) !== value) node.setAttribute(name, value);
	}
	const have = [...node.childNodes], want = [...wanted.childNodes];
	want.forEach((child, i) => (have[i] ? update(have[i], child) : node.append(document.importNode(child, true))));
	have.slice(want.length).forEach((child) => child.remove());
}

async function refresh() {
	const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
	if (!answer.ok || answer.redirected) return;
	const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
	localise(fresh);
	for (const part of document.querySelectorAll("main [id]")) {
		const wanted = part.parentElement.closest("main [id]") ? null : fresh.getElementById(part.id);
		if (wanted && !part.contains(document.activeElement?.closest("input, select, textarea"))) update(part, wanted);
	}
}

// What is captured takes a moment until it is stored, so the page is looked at soon after an event and once more a little later.
const soon = 250, later = 1500;

function live(of) {
	const pulse = document.getElementById("pulse");
	let soonTimer = 0, laterTimer = 0;
	const look = () => refresh().catch(() => {});
	const source = new EventSource("/v1/live");
	source.onopen = () => { if (pulse) pulse.textContent = "Live."; };
	source.onerror = () => { if (pulse) pulse.textContent = "Not connected; trying again."; };
	source.addEventListener("frame", (event) => {
		if (of !== "*" && JSON.parse(event.data).workflow !== of) return;
		soonTimer ||= setTimeout(() => { soonTimer = 0; look(); }, soon);
		clearTimeout(laterTimer);
		laterTimer = setTimeout(look, later);
	});
	addEventListener("pagehide", () => source.close());
	addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

localise(document);

for (const range of document.querySelectorAll(".slider input[type=range]")) {
	range.addEventListener("change", () => range.form.requestSubmit());
}

// Times are chosen as the reader's own and sent in UTC.
for (const form of document.querySelectorAll("form:has(input[data-utc])")) {
	const fields = [...form.querySelectorAll("input[data-utc]")];
	const shift = (field, sign) => {
		if (!field.value) return;
		const at = new Date(`${field.value}Z`);
		field.value = new Date(at.getTime() + sign * new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
	};
	fields.forEach((field) => shift(field, -1));
	form.addEventListener("submit", () => fields.forEach((field) => shift(field, 1)));
}

if (document.body.dataset.live && !new URLSearchParams(location.search).has("at")) live(document.body.dataset.live);
