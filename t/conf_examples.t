#!/usr/bin/perl

# Every example of conf-examples loads as it stands, with the keys and
# certificates that it names, and the quickstart answers.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Cwd ();
use Test::More;

needs_module();

my $root = Cwd::abs_path('conf-examples');
my @examples = sort grep { -f } glob("$root/*.conf"), glob("$root/*/*.conf");
ok(@examples >= 7, scalar(@examples) . ' examples');

my $certificates = Upstream::certificates();

sub service_account {
    my $key = qx(openssl genpkey -quiet -algorithm RSA \
        -pkeyopt rsa_keygen_bits:2048 2>/dev/null);
    return encode({ client_email => 'a@p.example', private_key => $key,
        project_id => 'p' });
}

# A copy of an example that can be loaded here: our module, ports that are
# free, paths below the test's folder; all else as it stands.
sub load {
    my ($file) = @_;
    my $gw = Gateway->new;
    my $text = Gateway::slurp($file);
    my $whole = $text =~ /^\s*http\s*\{/m;
    my ($folder) = $file =~ m{^(.*)/};
    # YAML beside it, its keys as they are in the environment of the test.
    my $yaml = '';
    for my $beside (glob "$folder/*.yaml") {
        $yaml .= Gateway::slurp($beside);
        $gw->write_file('conf/' . $beside =~ s{.*/}{}r,
            Gateway::slurp($beside));
    }
    my (%env, %port);
    my $named = $text . $yaml;
    $env{$1} = "sk-secret-$1" while $named =~ /\benv:(\w+)/g;
    $text =~ s/^\s*load_module\s[^;]*;//mg;
    $text =~ s/^\s*(?:user|pid|include\s+\/etc\/nginx\/modules-enabled)\b
        [^;]*;//mgx;
    $text =~ s{(\bvertex_auth_key\s+)file:/[^;\s]+}{
        $1 . 'file:' . $gw->write_file('account', service_account())}ge;
    my $files = 0;
    $text =~ s{\bfile:(?!\Q$gw->{dir}\E)(/[^;\s]+)}{ $files++;
        'file:' . $gw->write_file("secret$files", "sk-secret-$files\n")}ge;
    $text =~ s{(ssl_certificate)\s+[^;]+;}
        {$1 $certificates/server.crt;}g;
    $text =~ s{(ssl_certificate_key)\s+[^;]+;}
        {$1 $certificates/server.key;}g;
    $text =~ s{((?:access|error)_log)\s+/\S+?(\s[^;]*)?;}
        {$1 . " $gw->{dir}/logs/" . ($1 eq 'error_log' ? 'error' : 'access')
        . '.log' . ($2 // '') . ';'}ge;
    $text =~ s{(\blisten\s+)((?:[\d.]+:|\[::\w*\]:)?)(\d+)}{
        $port{$3} //= Gateway::free_port();
        "$1" . ($2 eq '' || $2 =~ /^\[/ ? '127.0.0.1:' : $2) . $port{$3}}ge;
    my $module = Gateway::module();
    my $head = "load_module $module;\npid $gw->{dir}/nginx.pid;\n"
        . ($> == 0 ? 'user ' . ($ENV{AI_PROXY_ASAN} ? 'root'
            : 'nobody nogroup') . ";\n" : '');
    $text = "events { }\nhttp {\n$text\n}\n" unless $whole;
    if ($whole && $text !~ /^\s*events\s*\{/m) { $head .= "events { }\n" }
    my $temp = join '', map { "${_}_temp_path $gw->{dir}/temp/$_;\n" }
        qw(client_body proxy fastcgi uwsgi scgi);
    $text =~ s/(^\s*http\s*\{)/$1\n$temp/m;
    $head .= "error_log $gw->{dir}/logs/error.log info;\n"
        unless $text =~ /^\s*error_log/m;
    $gw->configure(text => $head . $text, env => \%env);
    $gw->{args}{env} = \%env;
    $gw->{port} = (sort { $a <=> $b } values %port)[0] // $gw->{port};
    return ($gw, \%port);
}

for my $file (@examples) {
    my ($gw) = load($file);
    my ($status, $said) = $gw->check;
    my $name = $file =~ s{^\Q$root\E/}{}r;
    is($status, 0, "$name loads") or diag($said);
    unlike($said, qr/\[(?:emerg|alert|crit|error)\]/, 'without a complaint');
    unlike($said, qr/sk-secret/, 'or a secret');
}

SKIP: {
    my ($quickstart) = grep { m{quickstart} } @examples;
    skip 'there is no quickstart', 3 unless $quickstart;
    my ($gw, $ports) = load($quickstart);
    $gw->start;
    my ($port) = map { $ports->{$_} } grep { $ports->{$_} } 8080;
    my $client = Client->new(port => $port // $gw->{port});
    my $reply = $client->post('/v1/chat/completions',
        chat_body(model => 'mock'));
    is($reply->{status}, 200, 'the quickstart answers');
    check_stream($client->post('/v1/chat/completions', chat_body(
        model => 'mock', stream => JSON::PP::true)), undef, 'and streams');
    $gw->stop;
}

done_testing();
