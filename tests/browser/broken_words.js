// The words that are shown on two lines: letters, digits and underscores, as long as an id at most.
() => {
  const broken = [];
  let looked = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const parent = node.parentElement;
    if (!parent.checkVisibility() || parent.closest("script, style, .off, svg")) continue;
    for (const word of node.data.matchAll(/\w{2,36}/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
      looked += 1;
      if (tops.size > 1) broken.push(word[0]);
    }
  }
  return { looked, broken };
};
