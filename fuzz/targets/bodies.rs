//! Bodies of requests: suggestions that are imported, verdicts, and proposals.
#![no_main]

use tenfold_core::annotate::{Annotation, Verdict, standing, words};
use tenfold_core::suggest::Proposal;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(verdicts) = serde_json::from_slice::<Vec<Verdict>>(bytes) {
        let own: Vec<Annotation> = standing(&verdicts);
        let _ = words(&own);
        let again = serde_json::to_vec(&verdicts).expect("what was read");
        assert!(serde_json::from_slice::<Vec<Verdict>>(&again).is_ok());
    }
    if let Ok(mut proposal) = serde_json::from_slice::<Proposal>(bytes) {
        proposal.truncate(3);
        let _ = (proposal.best().count(), proposal.group());
        for verdict in Verdict::confirming(&proposal) {
            let _ = verdict.change(Some(&proposal));
        }
    }
});
