//! Families that were retired (see [`crate::catalog`]): once a batch a reader
//! looks whether there are any new ones, and lets go of their series.

use super::super::template::TemplateCache;
use super::Resolver;

impl Resolver {
    /// Lets go of the series of retired families, if any was retired since the
    /// last look.
    #[inline]
    pub fn look_for_retired(&mut self, templates: &mut TemplateCache) {
        let retirements = self.catalog.retirements();
        if retirements != self.retirements {
            self.retirements = retirements;
            self.drop_retired(templates);
        }
    }

    #[cold]
    fn drop_retired(&mut self, templates: &mut TemplateCache) {
        let Self { series, families, label_sets, given_back, .. } = self;
        let is_retired = |id| families.get(id).is_none_or(|family| family.is_retired());
        series.drop_families(is_retired, |leaving| {
            leaving.templates().for_each(|template| templates.forget(template));
            leaving.label_set().into_iter().for_each(|labels| label_sets.forget(labels));
            given_back.extend(leaving.slot);
        });
        families.drop_retired();
    }
}
