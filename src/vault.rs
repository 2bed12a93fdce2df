//! temp
use std::path::Path;
/// temp
pub struct Vault;
/// temp
#[derive(Debug)]
pub struct VaultError;
impl std::fmt::Display for VaultError { fn fmt(&self, f:&mut std::fmt::Formatter<'_>)->std::fmt::Result{f.write_str("v")} }
impl Vault {
 /// temp
 pub fn open(_p:&Path,_k:[u8;32])->Result<Self,VaultError>{Ok(Self)}
 /// temp
 pub fn append_group(&mut self,_g:&[(&str,&str)],_now:crate::time::Instant)->Result<(),VaultError>{Ok(())}
}
