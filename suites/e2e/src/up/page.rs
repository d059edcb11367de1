//! The live page: one file that needs no network. It holds nothing of the lab; its script asks for that with the token that
//! stands behind `#` in the page's address, where no server and no other page sees it.
//!
//! Whatever a stranger sent becomes text of the page by `textContent` alone: the script has no other way of writing.

/// The page; the browser runs the script and takes the style that bear this word alone.
pub(crate) fn page(nonce: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width, initial-scale=1\">\
         <meta name=color-scheme content=\"light dark\"><link rel=icon href=\"data:,\"><title>Coexist</title>\n\
         <style nonce=\"{nonce}\">{}</style></head>\n{}\n<script nonce=\"{nonce}\">{}</script>\n</html>\n",
        include_str!("page/page.css"),
        include_str!("page/body.html"),
        include_str!("page/page.js"),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_script_writes_what_it_is_told_as_text_alone() {
        let script = include_str!("page/page.js");
        for word in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "setAttribute(\"on"]
        {
            assert!(!script.contains(word), "{word}");
        }
        let page = super::page("0123");
        assert_eq!(page.matches("http").count(), 0, "the page needs no network");
    }
}
