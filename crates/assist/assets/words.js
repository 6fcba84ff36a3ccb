// What the page says, in English and in Chinese.

const WORDS = {
  jump: ['Skip to the content', '跳到正文'],
  views: ['Views', '视图'],
  decide: ['Decide', '判定'],
  grid: ['Grid', '网格'],
  report: ['Report', '报告'],
  change_name: ['Change the name: {name}', '更改姓名：{name}'],
  keys: ['Keys', '快捷键'],
  progress: ['Progress', '进度'],
  try_again: ['Try again', '重试'],
  held: ['Items at hand', '手头的条目'],
  what: ['What is it?', '这是什么？'],
  search: ['Search the labels', '搜索标签'],
  search_hint: ['Search or add a label: /', '搜索或添加标签：/'],
  search_first: ['To type a label, press / first.', '要输入标签，请先按 /。'],
  number_hint: ['Type another number…', '输入其他数值…'],
  labels: ['Labels', '标签'],
  previous: ['Previous item', '上一个'],
  following: ['Next item', '下一个'],
  skip: ['Skip', '跳过'],
  undo: ['Undo', '撤销'],
  order: ['Order', '顺序'],
  given: ['as in the queue', '原有顺序'],
  margin: ['least confident first (margin)', '最没把握的在前（间隔）'],
  entropy: ['least confident first (entropy)', '最没把握的在前（熵）'],
  confidence: ['most confident first', '最有把握的在前'],
  similar: ['similar items together', '相似的在一起'],
  hide: ['hide suggestions', '不显示建议'],
  to_report: ['See the report', '查看报告'],
  all_are: ['All of these are', '以下全部是'],
  grid_hint: ['Take out the wrong ones, then confirm the rest.', '剔除错误的，然后确认其余。'],
  page_of_items: ['Items', '条目'],
  confirm: ['Confirm {n}', '确认 {n} 个'],
  put_aside: ['Put {n} aside', '搁置这 {n} 个'],
  taken_out: ['taken out', '已剔除'],
  put_back: ['put back', '已放回'],
  state: ['State', '状态'],
  queue: ['Queue', '队列'],
  automatic: ['Auto-accept', '自动接受'],
  model: ['Model', '模型'],
  retrain: ['Retrain', '重新训练'],
  take: ['Use the new weights anyway', '仍然采用'],
  training: ['Training', '训练'],
  who_title: ['Who is deciding?', '您是谁？'],
  who_why: ['Your name is kept with each decision, so that several people can work at once.',
    '您的姓名会与每次判定一起保存，以便多人同时工作。'],
  name: ['Name', '姓名'],
  start: ['Start', '开始'],
  close: ['Close', '关闭'],
  space: ['Space', '空格'],
  key_enter: ['confirm the first suggestion, or all places; in the grid, all that are left', '确认第一条建议或全部位置；网格中确认其余全部'],
  key_digit: ['choose the label or suggestion that shows this key', '选择标有此键的标签或建议'],
  key_search: ['search the labels, or add one', '搜索或添加标签'],
  key_skip: ['skip', '跳过'],
  key_undo: ['undo', '撤销'],
  key_arrows: ['look at the items at hand', '查看手头的条目'],
  key_space: ['in the grid: take out, put back', '网格中：剔除、放回'],
  key_escape: ['close the search', '关闭搜索'],
  // Decide
  saved: ['Saved: {label}.', '已保存：{label}。'],
  skipped: ['Skipped.', '已跳过。'],
  undone: ['Undone.', '已撤销。'],
  nothing_to_undo: ['There is nothing to undo.', '没有可撤销的判定。'],
  next_is: ['Next: {name}.', '下一个：{name}。'],
  first_is: ['First suggestion: {label}, {score}.', '第一条建议：{label}，{score}。'],
  was: ['was decided as “{label}”', '先前判定为“{label}”'],
  was_skipped: ['was skipped', '先前已跳过'],
  pending: ['No suggestion yet: press / and type a label, or wait.', '模型还在处理此条目。可以按 / 输入标签，也可以等待。'],
  hidden_note: ['Suggestions are hidden: choose a label, or press / and type it.', '建议已隐藏：请选择标签，或按 / 输入。'],
  no_suggestion: ['The model has no suggestion: choose a label, or press / and type it.', '模型没有建议：请选择标签，或按 / 输入。'],
  more_rows: ['↓ {n} more', '↓ 还有 {n} 行'],
  broken: ['This item cannot be read. Skip it.', '此条目无法读取，只能跳过。'],
  no_image: ['The image could not be loaded.', '图像无法加载。'],
  what_where: ['What is where?', '哪里有什么？'],
  what_each: ['What is each?', '每一项是什么？'],
  what_text: ['Which text is right?', '哪段文本正确？'],
  confirm_places: ['Confirm all {n}', '全部确认（{n} 处）'],
  confirm_nothing: ['Confirm: nothing here', '确认：没有任何目标'],
  add_box: ['Draw a box', '画框'],
  draw_hint: ['Draw on the image from one corner to the other; Enter puts a box in the middle, Escape leaves off.', '在图像上从一角拖到对角；按回车在中间放一个框，按 Esc 取消。'],
  added: ['Added: {label}. Pick or type what it is.', '已添加：{label}。请选择或输入其标签。'],
  remove: ['Remove', '移除'],
  restore: ['Put back', '放回'],
  remove_place: ['Remove {n}', '移除第 {n} 处'],
  restore_place: ['Put {n} back', '放回第 {n} 处'],
  removed: ['removed', '已移除'],
  moved: ['moved', '已移动'],
  is_added: ['added', '已添加'],
  absent: ['nothing', '无'],
  step: ['Step {n}', '第 {n} 步'],
  n_places: ['{n} places', '{n} 处'],
  places: ['Places', '位置'],
  change: ['Changes', '处理结果'],
  hidden_places: ['Suggestions are hidden: draw a box around each object.', '建议已隐藏：请框出每个目标。'],
  pending_places: ['No suggestion yet.', '模型还在处理此条目。'],
  no_places: ['The model found nothing: draw a box, or confirm that there is nothing.', '模型没有发现目标：请画框，或确认没有目标。'],
  hidden_text: ['Suggestions are hidden: write the text.', '建议已隐藏：请输入文本。'],
  no_text: ['The model has no suggestion yet: write the text, or wait.', '模型还没有建议：请输入文本，或稍等。'],
  write: ['Correct the text', '修改文本'],
  write_hint: ['Write another text…', '输入其他文本…'],
  use_text: ['Use this text', '采用此文本'],
  key_write: ['of a text: correct it in the field', '文本：在输入框中修改'],
  key_slot: ['of several places: choose one; a digit then picks its answer', '多处目标：选择其中一处；再按数字键选择其答案'],
  key_remove: ['remove the chosen place, or put it back', '移除或放回所选位置'],
  key_box: ['draw a box on the image', '在图像上画框'],
  key_nudge: ['move the chosen box; with Alt its corner', '移动所选框；按住 Alt 调整其右下角'],
  add: ['Add “{label}” as a new label', '将“{label}”添加为新标签'],
  add_again: ['Press Enter again to add “{label}” as a new label.', '再按一次回车，将“{label}”添加为新标签。'],
  use: ['Use {label}', '使用 {label}'],
  saving: ['Saving…', '正在保存…'],
  loading: ['Loading…', '正在载入…'],
  range: ['{low} to {high}', '{low} 至 {high}'],
  all_done: ['All done', '全部完成'],
  waiting: ['No items left for you now', '目前没有需要您处理的条目'],
  n_decided: ['{n} decided', '已判定 {n}'],
  n_open: ['{n} to do', '待处理 {n}'],
  n_leased: ['{n} being decided', '{n} 个正由人处理'],
  n_skipped: ['{n} skipped', '已跳过 {n}'],
  n_broken: ['{n} unreadable', '无法读取 {n}'],
  n_automatic: ['{n} auto-accepted', '自动接受 {n}'],
  n_waiting: ['{n} without suggestions yet', '模型尚未处理 {n}'],
  grid_empty: ['No items with a suggestion are left for the grid. Those put aside are in Decide.', '网格中没有带建议的条目了。搁置的条目在“判定”中。'],
  saved_n: ['{n} saved as {label}.', '{n} 个已保存为 {label}。'],
  undone_n: ['{n} undone.', '已撤销 {n} 个。'],
  // What goes wrong
  offline: ['No connection. Your decision is kept here and sent again by itself.', '连接中断。您的判定保留在此，将自动重发。'],
  no_connection: ['No connection to the server.', '无法连接服务器。'],
  disk_full: ['The disk is full: nothing can be saved. Make room, then try again. Nothing saved so far is lost.',
    '磁盘已满，无法保存。请清理空间后重试。已保存的内容没有丢失。'],
  store_gone: ['The store was removed or replaced: nothing more is saved. Put it back, then start the server again.',
    '存储文件已被移除或替换，无法再保存。请放回文件并重新启动服务器。'],
  no_token: ['The token is missing: open the address with its token, as the server printed it.',
    '服务器未认可您：请使用服务器显示的带令牌的地址打开。'],
  refused: ['Not saved: {why}', '未保存：{why}'],
  // Model and retraining
  model_is: ['{model}, round {round}', '{model}，第 {round} 轮'],
  accuracy_is: ['{model}, round {round}: accuracy {accuracy} on the held-out items', '{model}，第 {round} 轮：固定部分正确率 {accuracy}'],
  running: ['Epoch {epoch} of {epochs}', '训练进度：{epoch}/{epochs} 个周期'],
  starting: ['Starting…', '正在启动…'],
  trained: ['New weights in place.', '新权重已启用。'],
  trained_from: ['New weights in place: accuracy {before} → {after} on {n} held-out items.', '新权重已启用：{n} 项的正确率 {before} → {after}。'],
  worse: ['The new weights were worse and were not put in place: accuracy {before} → {after} on {n} held-out items.', '新权重更差，未启用：{n} 项的正确率 {before} → {after}。'],
  known: ['Known classes: accuracy {before} → {after} on {n} validation examples of the run.', '已有类别：该运行的 {n} 个验证样本的正确率 {before} → {after}。'],
  few_judges: ['Comparing weights needs {needed} held-out items with decisions; you have {n}. You can use the new weights anyway.', '新权重待定：固定部分已判定 {n} 项，比较需要 {needed} 项。如需要可直接采用。'],
  not_taken: ['The new weights were not put in place: {why}', '新权重未启用：{why}'],
  failed: ['Training failed: {why}', '训练失败：{why}'],
  auto_off: ['Off: a person decides every item.', '未启用：每个条目都由人判定。'],
  auto_none_possible: ['No confidence threshold keeps the expected errors at {risk} or below: a person decides every item.', '没有阈值能保证错误率不超过 {risk}，因此每个条目都需要人工判定。'],
  auto_accepting: ['Expected errors at most {risk}: {n} items with a confidence of {threshold} or more are accepted.', '预期错误率不超过 {risk}：已接受置信度不低于 {threshold} 的 {n} 个条目。'],
  auto_suspended: ['Stopped: the audit found more errors than expected.', '已暂停：抽查发现的错误过多。'],
  auto_waiting: ['Waiting for the model’s suggestions.', '正在等待模型处理队列。'],
  audit: ['Audit: {n} checked, {wrong} wrong.', '抽查 {n} 个，错误 {wrong} 个。'],
  // Report
  no_decisions: ['No decisions yet.', '还没有判定。'],
  per_minute: ['decisions per minute', '每分钟判定数'],
  labels_per_minute: ['labels per minute, auto-accepted ones included', '每分钟标签数（含自动）'],
  confirmed_share: ['confirmed as proposed', '按建议确认'],
  speedup: ['speed-up over labelling without suggestions', '相对无建议标注的加速'],
  minutes_saved: ['minutes saved', '节省的分钟数'],
  decisions: ['Decisions', '判定数'],
  seconds: ['Seconds per decision', '每次判定的秒数'],
  confirmed: ['confirmed', '确认'],
  corrected: ['corrected', '更正'],
  from_nothing: ['without suggestions', '无建议'],
  median: ['Median', '中位数'],
  mean: ['Mean', '平均'],
  count: ['Count', '数量'],
  curve: ['Learning curve', '学习曲线'],
  curve_of: ['Accuracy on the held-out items after each round', '每轮之后固定部分的正确率'],
  no_rounds: ['No retraining yet.', '尚未用判定结果训练过。'],
  round: ['Round', '轮次'],
  accuracy: ['Accuracy', '正确率'],
  refused_round: ['not put in place', '未启用'],
  people: ['People', '人员'],
  confirmed_short: ['Confirmed', '确认比例'],
  median_seconds: ['Median seconds', '中位秒数'],
  agreement: ['Agreement', '一致性'],
  agree: ['{share} agreement on {n} items that two people decided; Cohen’s kappa {kappa}.', '两人都判定过的 {n} 个条目中 {share} 相同；Cohen κ 为 {kappa}。'],
  no_agreement: ['No item has been decided by two people yet.', '还没有条目被两个人判定过。'],
  by_label: ['Labels', '标签'],
  label: ['Label', '标签'],
  export: ['Export', '导出'],
  no_baseline: ['To measure the speed-up, decide some items with hidden suggestions: that is the baseline.', '要知道节省了多少，请先在“不显示建议”下判定一些条目，作为基准。'],
};

const stored = localStorage.getItem('language');
let language = stored ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');

/** The language that the page is in: `en` or `zh`. */
export const current = () => language;

/** A text of the page, with `{name}` replaced from `values`. */
export function t(key, values = {}) {
  const text = WORDS[key][language === 'zh' ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === 'number' ? number(values[name]) : values[name]));
}

const formats = new Map(); // to make one takes longer than to use it a hundred times

function format(value, options) {
  const key = language + Object.values(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(language, options));
  return formats.get(key).format(value);
}

/** A number, with at most `digits` decimals. */
export const number = (value, digits = 1) => format(value, { maximumFractionDigits: digits });

/** A share as per cent with so many decimals; a dash where nothing is known of it. */
export const percent = (share, least = 1, most = 1) =>
  share == null ? '–' : format(share, { style: 'percent', minimumFractionDigits: least, maximumFractionDigits: most });

/** Puts the texts of this language into everything that has `data-t…`. */
export function translate() {
  document.documentElement.lang = language === 'zh' ? 'zh-Hans' : 'en';
  for (const e of document.querySelectorAll('[data-t]')) e.textContent = t(e.dataset.t);
  for (const e of document.querySelectorAll('[data-t-hint]')) e.placeholder = t(e.dataset.tHint);
  for (const e of document.querySelectorAll('[data-t-label]')) {
    e.ariaLabel = t(e.dataset.tLabel, e.dataset);
    if (e.tagName === 'BUTTON') e.title = e.ariaLabel;
  }
}

/** Changes the language, and keeps the choice. */
export function speak(wanted) {
  language = wanted;
  localStorage.setItem('language', wanted);
}
